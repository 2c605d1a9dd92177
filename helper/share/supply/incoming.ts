/**
 * The bytes of a take while they arrive: a sparse file in `$GIT_DIR/gittorrent/incoming/`, and which parts of it are there
 * and verified, so that indexing can follow the download and whoever takes over fetches only what is lacking. The file of
 * a whole link is named by its infohash and survives an interrupted run, whose verified pieces the next run keeps; what nobody
 * comes back for goes after a week.
 */

import { constants, type FileHandle, open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ByteRange, Store } from '../../../net/index.ts'
import { INCOMING_AGE_MS_MAX } from '../../limits.ts'
import { makeFolder, removeOld } from '../../store/atomic-file.ts'
import { ArrivedRanges } from './arrived-ranges.ts'

export class IncomingFile implements Store {
  readonly path: string
  readonly #file: FileHandle
  readonly #arrived = new ArrivedRanges()
  #failure: unknown = null
  #wake: (() => void) | null = null

  private constructor(file: FileHandle, path: string) {
    this.#file = file
    this.path = path
  }

  /** Of the open file, for a thread that reads along; it may have no name any more. */
  get descriptor(): number {
    return this.#file.fd
  }

  /** Removes from the folder what was given up long ago. */
  static removeOld(folder: string): Promise<void> {
    return removeOld(folder, () => true, INCOMING_AGE_MS_MAX)
  }

  /** Opens the file, creating it, its folder and the one above. @throws ENOENT where the repository is gone */
  static async open(path: string): Promise<IncomingFile> {
    await makeFolder(dirname(path), 1)
    // Created and opened in one go: another process that is done with the same link may remove the file at any time.
    return new IncomingFile(await open(path, constants.O_RDWR | constants.O_CREAT), path)
  }

  /** Length of what an earlier run left. */
  async leftLength(): Promise<number> {
    return (await this.#file.stat()).size
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    for (let written = 0; written < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, written, bytes.length - written, offset + written)
      written += bytesWritten
    }
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await this.#file.read(bytes, filled, length - filled, offset + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return bytes
  }

  /** Notes that a range is verified and written; ranges of several sources may overlap. */
  noteArrived(range: ByteRange): void {
    this.#arrived.add(range)
    this.#wake?.()
  }

  /** True if all of a range is verified and written. */
  hasArrived(range: ByteRange): boolean {
    return this.#arrived.has(range)
  }

  /** End of what is verified and written from `offset` on without a gap. */
  arrivedFrom(offset: number): number {
    return this.#arrived.endFrom(offset)
  }

  /** Makes whoever waits for bytes fail. */
  noteFailed(error: unknown): void {
    this.#failure = error
    this.#wake?.()
  }

  /** Resolves to the end of what is there from `offset` on, once there is something. One waiter at a time. */
  async waitFrom(offset: number): Promise<number> {
    for (;;) {
      const end = this.#arrived.endFrom(offset)
      if (end > offset) return end
      if (this.#failure !== null) throw this.#failure
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = null
    }
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  async remove(): Promise<void> {
    await this.close().catch(() => {})
    await rm(this.path, { force: true })
  }
}
