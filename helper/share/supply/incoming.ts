/**
 * The bytes of a take while they arrive: a sparse file in `$GIT_DIR/gittorrent/incoming/`, and how far from its start
 * they are there without a gap, so that indexing can follow the download. The file of a whole link is named by its
 * infohash and survives an interrupted run, whose verified pieces the next run keeps; what nobody comes back for goes after
 * a week.
 */

import { type FileHandle, mkdir, open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ByteRange, Store } from '../../../net/index.ts'
import { INCOMING_AGE_MS_MAX } from '../../limits.ts'
import { removeOld } from '../../store/atomic-file.ts'

export class IncomingFile implements Store {
  readonly #file: FileHandle
  readonly #path: string
  /** Ranges beyond the gapless start, by offset. */
  readonly #islands = new Map<number, number>()
  #contiguous = 0
  #failure: unknown = null
  #wake: (() => void) | null = null

  private constructor(file: FileHandle, path: string) {
    this.#file = file
    this.#path = path
  }

  /** Removes from the folder what was given up long ago. */
  static removeOld(folder: string): Promise<void> {
    return removeOld(folder, () => true, INCOMING_AGE_MS_MAX)
  }

  /** Opens the file, creating it and its folder. */
  static async open(path: string): Promise<IncomingFile> {
    await mkdir(dirname(path), { recursive: true })
    const file = await open(path, 'a+').then(async (created) => {
      await created.close()
      return open(path, 'r+')
    })
    return new IncomingFile(file, path)
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
  noteArrived({ offset, length }: ByteRange): void {
    this.#islands.set(offset, Math.max(length, this.#islands.get(offset) ?? 0))
    for (let start = this.#islandAtEnd(); start !== null; start = this.#islandAtEnd()) {
      this.#contiguous = Math.max(this.#contiguous, start + (this.#islands.get(start) ?? 0))
      this.#islands.delete(start)
    }
    this.#wake?.()
  }

  /** Offset of a range that starts within the gapless start or right behind it, null if there is none. */
  #islandAtEnd(): number | null {
    if (this.#islands.has(this.#contiguous)) return this.#contiguous
    for (const offset of this.#islands.keys()) if (offset < this.#contiguous) return offset
    return null
  }

  /** Makes whoever waits for bytes fail. */
  noteFailed(error: unknown): void {
    this.#failure = error
    this.#wake?.()
  }

  /** Resolves to how many bytes from the start are there, once it is more than `known`. One waiter at a time. */
  async waitBeyond(known: number): Promise<number> {
    while (this.#contiguous <= known) {
      if (this.#failure !== null) throw this.#failure
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = null
    }
    return this.#contiguous
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  async remove(): Promise<void> {
    await this.close().catch(() => {})
    await rm(this.#path, { force: true })
  }
}
