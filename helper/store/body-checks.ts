/**
 * Which bodies were compared with their SHA-256, and what the file looked like then: length, times of the last change of
 * content and of inode, inode. While these are the same the body is not read again when a process starts; a change of
 * any kind moves the time of the inode. What changes without the file system noticing is found by the piece hashes when
 * it is served (helper/build/link-file.ts). Facts of the segments are kept beside, so that a start reads one file.
 *
 * A file that changed just before it was checked could change once more within the grain of its times: as git does with
 * its index, such a check counts for this process only.
 */

import { type BigIntStats, statSync } from 'node:fs'
import { RACY_AGE_MS_MAX } from '../limits.ts'
import { readSealedFile, writeSealedFile } from './sealed-file.ts'
import { parseSegmentFacts, type StoredSegment } from './stored-segment.ts'

interface Check {
  readonly segment: StoredSegment
  /** Null for a check that is not to be written down. */
  readonly stamp: string | null
}

export class BodyChecks {
  readonly #path: string
  /** Path of the file that holds a segment's body. */
  readonly #fileOf: (segment: StoredSegment) => string
  readonly #nowMs: () => number
  readonly #checks = new Map<string, Check>()
  #isLoaded = false
  #isChanged = false

  /** `nowMs` is the clock of the file system, in milliseconds. */
  constructor(path: string, fileOf: (segment: StoredSegment) => string, nowMs: () => number = Date.now) {
    this.#path = path
    this.#fileOf = fileOf
    this.#nowMs = nowMs
  }

  /** The segment of this name if its body was checked, by this process or an earlier one, and is still the same file. */
  async recall(name: string): Promise<StoredSegment | null> {
    if (!this.#isLoaded) await this.#load()
    const check = this.#checks.get(name)
    if (check === undefined) return null
    if (check.stamp === null || check.stamp === stampOf(statOf(this.#fileOf(check.segment)))) return check.segment
    this.forget(name)
    return null
  }

  /**
   * Notes that a body equals its hash. `before` is the stat of its file from before it was read; a file that changed
   * meanwhile or just before is noted for this process only.
   */
  note(segment: StoredSegment, before: BigIntStats | null): void {
    const stamp = stampOf(before)
    const after = stampOf(statOf(this.#fileOf(segment)))
    const isSettled = before !== null && this.#nowMs() - Number(before.ctimeMs) > RACY_AGE_MS_MAX
    this.#checks.set(segment.name, { segment, stamp: isSettled && stamp === after ? stamp : null })
    this.#isChanged = true
  }

  forget(name: string): void {
    if (this.#checks.delete(name)) this.#isChanged = true
  }

  /** Forgets checks that cannot be told from those of a file that has changed since. */
  forgetUnsettled(): void {
    for (const [name, { stamp }] of this.#checks) if (stamp === null) this.#checks.delete(name)
  }

  statOf(segment: StoredSegment): BigIntStats | null {
    return statOf(this.#fileOf(segment))
  }

  /** Writes down what is new. */
  async save(): Promise<void> {
    if (!this.#isChanged) return
    if (!this.#isLoaded) await this.#load()
    const lines = [...this.#checks.values()].flatMap(({ segment, stamp }) =>
      stamp === null ? [] : [JSON.stringify({ ...segment, stamp })],
    )
    await writeSealedFile(this.#path, Buffer.from(lines.join('\n')))
    this.#isChanged = false
  }

  async #load(): Promise<void> {
    const content = await readSealedFile(this.#path)
    this.#isLoaded = true
    if (content === null || content.length === 0) return
    for (const line of Buffer.from(content.buffer, content.byteOffset, content.length).toString('utf8').split('\n')) {
      const { name, stamp, ...facts } = JSON.parse(line)
      const segment = parseSegmentFacts(name, facts)
      if (segment !== null && !this.#checks.has(name)) this.#checks.set(name, { segment, stamp })
    }
  }
}

function statOf(path: string): BigIntStats | null {
  return statSync(path, { bigint: true, throwIfNoEntry: false }) ?? null
}

function stampOf(stat: BigIntStats | null): string {
  return stat === null ? '' : `${stat.size}-${stat.mtimeNs}-${stat.ctimeNs}-${stat.ino}`
}
