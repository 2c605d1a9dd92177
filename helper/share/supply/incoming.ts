/**
 * The bytes of a take while they arrive: a sparse file in `$GIT_DIR/gittorrent/incoming/`, and which parts of it are there
 * and verified, so that indexing can follow the download and whoever takes over fetches only what is lacking. The file of
 * a whole link is named by its infohash and survives an interrupted run, whose verified pieces the next run keeps; what nobody
 * comes back for goes after a week.
 *
 * As long as it is open it has a name of its own, with the number of its process: what somebody else fetches into the same repository
 * is not verified by us, and may come from who lies to him. Whoever opens it next takes over what was closed, or left by a process that is no more.
 */

import { randomBytes } from 'node:crypto'
import { constants, type FileHandle, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { ByteRange, Store } from '../../../net/index.ts'
import { INCOMING_AGE_MS_MAX } from '../../limits.ts'
import { isAlive } from '../../remote/client-process.ts'
import { makeFolder, removeOld } from '../../store/atomic-file.ts'
import { ArrivedRanges } from './arrived-ranges.ts'

export class IncomingFile implements Store {
  readonly #path: string
  /** Where it is while it is open. */
  readonly #ownPath: string
  readonly #file: FileHandle
  readonly #arrived = new ArrivedRanges()
  #failure: unknown = null
  #wake: (() => void) | null = null

  private constructor(file: FileHandle, path: string, ownPath: string) {
    this.#file = file
    this.#path = path
    this.#ownPath = ownPath
  }

  /** Of the open file, for a thread that reads along; it may have no name any more. */
  get descriptor(): number {
    return this.#file.fd
  }

  /** Removes from the folder what was given up long ago. */
  static removeOld(folder: string): Promise<void> {
    return removeOld(folder, () => true, INCOMING_AGE_MS_MAX)
  }

  /** Opens a file with what an earlier run left, creating it, its folder and the one above. @throws ENOENT where the repository is gone */
  static async open(path: string): Promise<IncomingFile> {
    const folder = dirname(path)
    await makeFolder(folder, 1)
    const ownPath = `${path}.${process.pid}-${randomBytes(6).toString('hex')}`
    const names = (await readdir(folder)).filter((name) => isLeftOf(name, basename(path)))
    for (const left of [path, ...names.map((name) => join(folder, name))]) if (await isMoved(left, ownPath)) break
    return new IncomingFile(await open(ownPath, constants.O_RDWR | constants.O_CREAT), path, ownPath)
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

  /** Writes what is not verified and written: nobody fetches that again, and these may be the bytes of a liar. */
  async writeLacking(offset: number, bytes: Uint8Array): Promise<void> {
    const end = offset + bytes.length
    for (let at = offset; at < end; ) {
      const thereEnd = this.#arrived.endFrom(at)
      const lackingEnd = thereEnd > at ? at : Math.min(end, this.#arrived.nextFrom(at))
      if (lackingEnd > at) await this.write(at, bytes.subarray(at - offset, lackingEnd - offset))
      at = Math.max(thereEnd, lackingEnd)
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

  /** Leaves what came to who opens it next. */
  async close(): Promise<void> {
    await this.#file.close()
    await rename(this.#ownPath, this.#path)
  }

  async remove(): Promise<void> {
    await this.#file.close().catch(() => {})
    await rm(this.#ownPath, { force: true })
  }
}

/** True for the name of a file for `base` whose process is no more. */
function isLeftOf(name: string, base: string): boolean {
  const pid = name.startsWith(`${base}.`) ? /^(\d+)-[0-9a-f]+$/.exec(name.slice(base.length + 1))?.[1] : undefined
  return pid !== undefined && !isAlive(Number(pid))
}

/** False where it is not there, because another took it. */
function isMoved(from: string, to: string): Promise<boolean> {
  return rename(from, to).then(
    () => true,
    () => false,
  )
}
