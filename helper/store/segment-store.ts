/**
 * Segments of one repository, in `$GIT_DIR/gittorrent/`: for each its length, counts and SHA-256, and where its body is.
 * A body is a file of its own, or a range of a kept pack of the object directory, so that a clone made through the
 * helper stores nothing twice. `rows/` keeps what the encoder needs to go on from a segment; it can be derived anew.
 *
 *   segments/<name>.body      the body                     rows/<name>      engine/segment-rows.ts
 *   segments/<name>.json      {objects, commits, length, sha256, pack?, offset?}
 *
 * Every file is written atomically; the .json comes last, so what it names is there. A body is checked against its
 * SHA-256 before its first use in a process, and forgotten when it differs: it is then built again, never served.
 */

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type BuiltSegment, type SegmentPlan, segmentNameOf } from '../../engine/index.ts'
import { HelperError } from '../errors.ts'
import { OPEN_BODY_COUNT_MAX, READ_CHUNK_LENGTH } from '../limits.ts'
import { AtomicFile, removeLeftovers, writeFileAtomically } from './atomic-file.ts'
import { OpenFiles } from './open-files.ts'

export interface StoredSegment {
  readonly name: string
  readonly objectCount: number
  readonly commitCount: number
  /** Bytes of the body. */
  readonly length: number
  /** SHA-256 of the body, hex. */
  readonly sha256: string
  /** Name of the pack in `objects/pack` that holds the body at `offset`; null when it is a file of its own. */
  readonly pack: string | null
  readonly offset: number
}

export class SegmentStore {
  readonly folder: string
  readonly #gitDir: string
  readonly #known = new Map<string, StoredSegment | null>()
  readonly #checked = new Set<string>()
  /** Size and time of files that hold bodies, as refresh() saw them. */
  readonly #marks = new Map<string, string>()
  readonly #files = new OpenFiles(OPEN_BODY_COUNT_MAX)

  /** `gitDir` is the common directory of the repository, absolute; `folder` is for scratch stores. */
  constructor(gitDir: string, folder = join(gitDir, 'gittorrent')) {
    this.#gitDir = gitDir
    this.folder = folder
  }

  /** What is stored of a segment, or null. A table that cannot be read counts as absent. */
  async find(plan: SegmentPlan): Promise<StoredSegment | null> {
    const name = segmentNameOf(plan)
    let segment = this.#known.get(name)
    if (segment === undefined) {
      segment = await this.#read(name)
      this.#known.set(name, segment)
    }
    return segment
  }

  /** Like `find`, after the body was compared with its hash once; a body that differs is dropped. */
  async findChecked(plan: SegmentPlan): Promise<StoredSegment | null> {
    const segment = await this.find(plan)
    if (segment === null || this.#checked.has(segment.name)) return segment
    if (await this.#bodyIsIntact(segment)) {
      this.#checked.add(segment.name)
      return segment
    }
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
   * gone or has changed since it was checked are no longer taken for granted.
   */
  async refresh(): Promise<void> {
    const areUnchanged = new Map<string, boolean>()
    for (const [name, segment] of this.#known) {
      if (segment === null) {
        this.#known.delete(name)
        continue
      }
      const path = this.#fileOf(segment)
      const isUnchanged = areUnchanged.get(path) ?? (await this.#isUnchanged(path))
      areUnchanged.set(path, isUnchanged)
      if (isUnchanged) continue
      this.#known.delete(name)
      this.#checked.delete(name)
    }
  }

  async #isUnchanged(path: string): Promise<boolean> {
    const mark = await markOf(path)
    const before = this.#marks.get(path)
    this.#marks.set(path, mark)
    if (before === mark && mark !== '') return true
    // A handle would go on to read what has been replaced.
    await this.#files.forget(path)
    return false
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
      if (known !== null && known.sha256 === sha256 && (await this.#bodyIsIntact(known))) {
        this.#checked.add(name)
        return known
      }
      await file.commit()
      const segment = { name, objectCount, commitCount, length, sha256, pack: null, offset: 0 }
      await this.#record(segment)
      this.#checked.add(name)
      return segment
    } finally {
      await file.discard()
    }
  }

  /** Notes that the body lies in a kept pack. */
  async recordInPack(plan: SegmentPlan, facts: Omit<StoredSegment, 'name'>): Promise<void> {
    await this.#record({ name: segmentNameOf(plan), ...facts })
  }

  /** Removes the body's own file, once the table says that it lies in a pack. */
  async dropFile(plan: SegmentPlan): Promise<void> {
    const segment = await this.find(plan)
    if (segment === null || segment.pack === null) return
    await this.#files.forget(this.#bodyPath(segment.name))
    await rm(this.#bodyPath(segment.name), { force: true })
  }

  async drop(plan: SegmentPlan): Promise<void> {
    const name = segmentNameOf(plan)
    this.#known.set(name, null)
    this.#checked.delete(name)
    await rm(join(this.folder, 'segments', `${name}.json`), { force: true })
    await rm(this.#bodyPath(name), { force: true })
    await rm(this.#rowsPath(name), { force: true })
  }

  /** Bytes of a body; the range lies inside it. @throws HelperError 'store-corrupt' */
  async readBody(segment: StoredSegment, offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    await this.#files.with(this.#fileOf(segment), async (file) => {
      for (let filled = 0; filled < length; ) {
        const { bytesRead } = await file.read(bytes, filled, length - filled, segment.offset + offset + filled)
        if (bytesRead === 0) {
          throw new HelperError('store-corrupt', `segment ${segment.name}: expected ${segment.length} bytes, got fewer`)
        }
        filled += bytesRead
      }
    })
    return bytes
  }

  /** True if this machine has built the segment itself; what a peer sent has no rows until then. */
  isOwnWork(plan: SegmentPlan): boolean {
    return existsSync(this.#rowsPath(segmentNameOf(plan)))
  }

  async readRows(plan: SegmentPlan): Promise<Uint8Array | null> {
    return await readFile(this.#rowsPath(segmentNameOf(plan))).catch(() => null)
  }

  async writeRows(plan: SegmentPlan, rows: Uint8Array): Promise<void> {
    await writeFileAtomically(this.#rowsPath(segmentNameOf(plan)), [rows])
  }

  /** Removes what interrupted runs left half-written, once it is old enough to belong to nobody. */
  async collect(): Promise<void> {
    for (const name of ['.', 'segments', 'rows', 'links']) await removeLeftovers(join(this.folder, name))
  }

  close(): Promise<void> {
    return this.#files.close()
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

  async #record(segment: StoredSegment): Promise<void> {
    const { name, ...facts } = segment
    const text = `${JSON.stringify(facts)}\n`
    await writeFileAtomically(join(this.folder, 'segments', `${name}.json`), [Buffer.from(text)])
    this.#known.set(name, segment)
  }

  async #read(name: string): Promise<StoredSegment | null> {
    const text = await readFile(join(this.folder, 'segments', `${name}.json`), 'utf8').catch(() => null)
    if (text === null) return null
    const segment = parseStored(name, text)
    return segment !== null && existsSync(this.#fileOf(segment)) ? segment : null
  }

  async #bodyIsIntact(segment: StoredSegment): Promise<boolean> {
    const hash = createHash('sha256')
    try {
      for (let at = 0; at < segment.length; at += READ_CHUNK_LENGTH) {
        hash.update(await this.readBody(segment, at, Math.min(READ_CHUNK_LENGTH, segment.length - at)))
      }
    } catch {
      return false
    }
    return hash.digest('hex') === segment.sha256
  }
}

/** What tells a file from another one in its place; empty when there is none. */
async function markOf(path: string): Promise<string> {
  const found = await stat(path).catch(() => null)
  return found === null ? '' : `${found.ino} ${found.size} ${found.mtimeMs}`
}

function parseStored(name: string, text: string): StoredSegment | null {
  try {
    const { objectCount, commitCount, length, sha256, pack, offset } = JSON.parse(text)
    const counts = [objectCount, commitCount, length, offset]
    if (!counts.every((count) => Number.isSafeInteger(count) && count >= 0)) return null
    if (typeof sha256 !== 'string' || (pack !== null && !/^pack-[0-9a-f]+\.pack$/.test(pack))) return null
    return { name, objectCount, commitCount, length, sha256, pack, offset }
  } catch {
    return null
  }
}
