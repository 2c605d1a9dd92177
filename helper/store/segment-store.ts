/**
 * Segments of one repository, in `$GIT_DIR/gittorrent/`: for each its length, counts and SHA-256, and where its body is: a
 * file of its own, or a range of a kept pack of the object directory, so that a clone stores nothing twice.
 *
 *   segments/<name>.body      the body            rows/<name>   engine/segment-rows.ts: to go on from; derived
 *   segments/<name>.json      StoredSegment       checks        body-checks.ts; derived
 *
 * Every file is written atomically; the .json comes last, so what it names is there. A body is compared with its SHA-256
 * before its first use, unless it was before and its file is the same; one that differs is forgotten: it is then built
 * again, never served.
 */

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { type FileHandle, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type BuiltSegment, type SegmentPlan, segmentNameOf } from '../../engine/index.ts'
import { HelperError } from '../errors.ts'
import { OPEN_BODY_COUNT_MAX, READ_CHUNK_LENGTH } from '../limits.ts'
import { AtomicFile, removeLeftovers, writeFileAtomically } from './atomic-file.ts'
import { BodyChecks } from './body-checks.ts'
import { OpenFiles } from './open-files.ts'
import { readRange } from './read-file.ts'
import { readSealedFile, writeSealedFile } from './sealed-file.ts'
import { parseSegmentFacts, type StoredSegment } from './stored-segment.ts'

/** Tables that are written at the same time; each waits for the disk, which takes many at once. */
const RECORD_PARALLEL_COUNT = 16

/** Of all stores: open files are counted by process, and a daemon has hundreds of stores. */
const BODIES = new OpenFiles(OPEN_BODY_COUNT_MAX)

export class SegmentStore {
  readonly folder: string
  readonly #gitDir: string
  readonly #known = new Map<string, StoredSegment | null>()
  readonly #checks: BodyChecks

  /** `gitDir` is the common directory of the repository, absolute; `folder` is for scratch stores. */
  constructor(gitDir: string, folder = join(gitDir, 'gittorrent')) {
    this.#gitDir = gitDir
    this.folder = folder
    this.#checks = new BodyChecks(join(folder, 'checks'), (segment) => this.#fileOf(segment))
  }

  /** What is stored of a segment, or null. A table that cannot be read counts as absent. */
  async find(plan: SegmentPlan): Promise<StoredSegment | null> {
    const name = segmentNameOf(plan)
    let segment = this.#known.get(name)
    if (segment === undefined) {
      segment = (await this.#checks.recall(name)) ?? (await this.#read(name))
      this.#known.set(name, segment)
    }
    return segment
  }

  /** Like `find`, after the body was compared with its hash; a body that differs is dropped. */
  async findChecked(plan: SegmentPlan): Promise<StoredSegment | null> {
    const segment = await this.find(plan)
    if (segment === null || (await this.#checks.recall(segment.name)) !== null) return segment
    if (await this.#bodyIsIntact(segment)) return segment
    await this.drop(plan)
    return null
  }

  /** What is stored of a segment if its body equals its hash, else null; drops nothing. */
  async findIntact(plan: SegmentPlan): Promise<StoredSegment | null> {
    const segment = await this.find(plan)
    return segment !== null && (await this.#bodyIsIntact(segment)) ? segment : null
  }

  /**
   * Looks again at what may have changed behind our back: segments that others have built are found, bodies whose file is
   * gone or was swapped are no longer taken for granted.
   */
  async refresh(): Promise<void> {
    this.#known.clear()
    this.#checks.forgetUnsettled()
    // A handle would go on to read what has been replaced.
    await this.close()
  }

  /** Reads a body whatever was noted of it, and drops it if it differs from its hash. */
  async dropIfDamaged(plan: SegmentPlan): Promise<void> {
    const segment = await this.find(plan)
    if (segment !== null && !(await this.#bodyIsIntact(segment))) await this.drop(plan)
  }

  /** Stores a body, unless the same bytes are stored already. */
  async writeBody(
    plan: SegmentPlan,
    { parts, length, objectCount, commitCount }: Pick<BuiltSegment, 'parts' | 'length' | 'objectCount' | 'commitCount'>,
  ): Promise<StoredSegment> {
    const name = segmentNameOf(plan)
    const hash = createHash('sha256')
    const file = await AtomicFile.create(this.#bodyPath(name))
    try {
      for await (const part of parts()) {
        hash.update(part)
        await file.write(part)
      }
      const sha256 = hash.digest('hex')
      const known = await this.find(plan)
      if (known?.sha256 === sha256 && this.#isLasting(known) && (await this.#bodyIsIntact(known))) return known
      await file.commit()
      await BODIES.forget(this.#bodyPath(name))
      const segment = { name, objectCount, commitCount, length, sha256, pack: null, offset: 0 }
      await this.#record(segment)
      this.#checks.note(segment, this.#checks.statOf(segment))
      return segment
    } finally {
      await file.discard()
    }
  }

  /** Notes that the body lies in a pack. */
  async recordInPack(plan: SegmentPlan, facts: Omit<StoredSegment, 'name'>): Promise<void> {
    await this.#record({ name: segmentNameOf(plan), ...facts })
  }

  /** The same for many bodies; several at a time, because each waits for the disk. */
  async recordAllInPack(
    bodies: readonly { readonly plan: SegmentPlan; readonly stored: Omit<StoredSegment, 'name'> }[],
  ): Promise<void> {
    const left = [...bodies]
    const work = async (): Promise<void> => {
      for (let body = left.pop(); body !== undefined; body = left.pop()) await this.recordInPack(body.plan, body.stored)
    }
    await Promise.all(Array.from({ length: RECORD_PARALLEL_COUNT }, work))
  }

  /** Removes the body's own file, once the table says that it lies in a pack. */
  async dropFile(plan: SegmentPlan): Promise<void> {
    const segment = await this.find(plan)
    if (segment === null || segment.pack === null) return
    await BODIES.forget(this.#bodyPath(segment.name))
    await rm(this.#bodyPath(segment.name), { force: true })
  }

  async drop(plan: SegmentPlan): Promise<void> {
    const name = segmentNameOf(plan)
    this.#known.set(name, null)
    this.#checks.forget(name)
    await rm(join(this.folder, 'segments', `${name}.json`), { force: true })
    await rm(this.#bodyPath(name), { force: true })
    await BODIES.forget(this.#bodyPath(name))
    await rm(this.#rowsPath(name), { force: true })
  }

  /** Bytes of a body; the range lies inside it. @throws HelperError 'store-corrupt' */
  async readBody(segment: StoredSegment, offset: number, length: number): Promise<Uint8Array> {
    const read = (file: FileHandle) => readRange(file, segment.offset + offset, length)
    const bytes = await BODIES.with(this.#fileOf(segment), read)
    if (bytes !== null) return bytes
    throw new HelperError('store-corrupt', `segment ${segment.name}: expected ${segment.length} bytes, got fewer`)
  }

  /** True if this machine has built the segment itself; what a peer sent has no rows until then. */
  isOwnWork(plan: SegmentPlan): boolean {
    return existsSync(this.#rowsPath(segmentNameOf(plan)))
  }

  async readRows(plan: SegmentPlan): Promise<Uint8Array | null> {
    return await readSealedFile(this.#rowsPath(segmentNameOf(plan)))
  }

  async writeRows(plan: SegmentPlan, rows: Uint8Array): Promise<void> {
    await writeSealedFile(this.#rowsPath(segmentNameOf(plan)), rows)
  }

  /** Removes what interrupted runs left half-written, once it is old enough to belong to nobody. */
  async collect(): Promise<void> {
    for (const name of ['.', 'segments', 'rows', 'links']) await removeLeftovers(join(this.folder, name))
  }

  /** Writes down which bodies were checked, for the next process. */
  saveChecks(): Promise<void> {
    return this.#checks.save()
  }

  /** Closes the bodies that are open; the store can be used on. */
  async close(): Promise<void> {
    await BODIES.close(this.#gitDir)
    await BODIES.close(this.folder)
  }

  #bodyPath(name: string): string {
    return join(this.folder, 'segments', `${name}.body`)
  }

  #rowsPath(name: string): string {
    return join(this.folder, 'rows', name)
  }

  #fileOf(segment: StoredSegment): string {
    return segment.pack === null ? this.#bodyPath(segment.name) : join(this.#gitDir, 'objects', 'pack', segment.pack)
  }

  /** False for a body in a pack that git may fold into another one. */
  #isLasting(segment: StoredSegment): boolean {
    return segment.pack === null || existsSync(this.#fileOf(segment).replace(/pack$/, 'keep'))
  }

  async #record(segment: StoredSegment): Promise<void> {
    const { name, ...facts } = segment
    this.#checks.forget(name)
    const text = `${JSON.stringify(facts)}\n`
    await writeFileAtomically(join(this.folder, 'segments', `${name}.json`), [Buffer.from(text)])
    this.#known.set(name, segment)
  }

  async #read(name: string): Promise<StoredSegment | null> {
    const text = await readFile(join(this.folder, 'segments', `${name}.json`), 'utf8').catch(() => null)
    if (text === null) return null
    const segment = parseStored(name, text)
    if (segment === null || existsSync(this.#fileOf(segment))) return segment
    // git has folded the pack into another one: the table is of no use any more.
    if (segment.pack !== null) await rm(join(this.folder, 'segments', `${name}.json`), { force: true })
    return null
  }

  /** Compares a body with its hash and notes it when it is the same. */
  async #bodyIsIntact(segment: StoredSegment): Promise<boolean> {
    const before = this.#checks.statOf(segment)
    const hash = createHash('sha256')
    try {
      for (let at = 0; at < segment.length; at += READ_CHUNK_LENGTH) {
        hash.update(await this.readBody(segment, at, Math.min(READ_CHUNK_LENGTH, segment.length - at)))
      }
    } catch {
      return false
    }
    if (hash.digest('hex') !== segment.sha256) return false
    this.#checks.note(segment, before)
    return true
  }
}

/** What the text of a .json file says, or null. */
export function parseStored(name: string, text: string): StoredSegment | null {
  try {
    return parseSegmentFacts(name, JSON.parse(text))
  } catch {
    return null
  }
}
