/**
 * Snapshots of a repository in `$GIT_DIR/gittorrent/snapshots/`: built on request, kept until they are dropped.
 *
 *   <commit>.pack   the payload         <commit>.json   {objectCount, length, sha256}         <commit>.pieces   piece hashes
 *
 * The .json comes last, so what it names is there. A payload is compared with its hash when it is opened, and again when
 * its file has changed since; one that differs counts as absent and is built again, never served.
 */

import { createHash } from 'node:crypto'
import { open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import {
  buildSnapshot,
  type Checkpoint,
  encodeInfo,
  GT1,
  hashLengthOf,
  infohashOf,
  type Oid,
  PACK_HEADER_LENGTH,
  parseOid,
  pieceLengthOf,
  type ReadObjects,
  snapshotName,
  writePackHeader,
} from '../../engine/index.ts'
import { CatFile } from '../git/cat-file.ts'
import { type Repository, requireWholeHistory, runGit } from '../git/repository.ts'
import { BUILD_THREAD_COUNT_MAX, SNAPSHOT_COUNT_MAX, SNAPSHOT_STORED_COUNT_MAX } from '../limits.ts'
import { AtomicFile, removeLeftovers, writeFileAtomically } from '../store/atomic-file.ts'
import { readRange, sha256OfFile } from '../store/read-file.ts'
import { PieceHasher } from './piece-hasher.ts'
import { Workshop } from './workshop.ts'

export interface SnapshotFile {
  readonly commit: Oid
  readonly objectCount: number
  readonly lengthBytes: number
  readonly pieceLengthBytes: number
  /** SHA-256 of the payload, hex. */
  readonly sha256: string
  /** The bencoded info dict. */
  readonly info: Uint8Array
  /** SHA-1 of `info`, 20 bytes. */
  readonly infohash: Uint8Array
  /** Bytes of the payload; the range lies inside it. */
  read(offset: number, length: number): Promise<Uint8Array>
}

interface SnapshotFacts {
  readonly objectCount: number
  readonly length: number
  readonly sha256: string
}

/** The newest checkpoint of a line that has a snapshot, or null. `checkpoints` are newest first. */
export function snapshotCheckpoint(checkpoints: readonly Checkpoint[]): Checkpoint | null {
  return checkpoints.find(({ level }) => level >= GT1.snapshotLevel) ?? null
}

export class SnapshotStore {
  readonly #repository: Repository
  readonly #folder: string
  /** What was compared with its hash, and what its file looked like then. */
  readonly #opened = new Map<Oid, { readonly stamp: string; readonly snapshot: SnapshotFile }>()

  /** `storeFolder` is the folder of the repository's segment store. */
  constructor(repository: Repository, storeFolder: string) {
    this.#repository = repository
    this.#folder = join(storeFolder, 'snapshots')
  }

  /** The stored snapshots of some checkpoints, newest first as they are; those past the newest few are removed. */
  async list(checkpoints: readonly Checkpoint[]): Promise<SnapshotFile[]> {
    const names = new Set(await readdir(this.#folder).catch(() => []))
    const found: SnapshotFile[] = []
    for (const { oid } of checkpoints) {
      if (!names.has(`${oid}.json`)) continue
      const snapshot = found.length < SNAPSHOT_COUNT_MAX ? await this.#open(oid) : null
      if (snapshot !== null) found.push(snapshot)
      else await this.#drop(oid)
    }
    return found
  }

  /** The snapshot of a checkpoint, built if it is not stored. @throws HelperError 'repository-unusable', 'object-missing' */
  async ensure(commit: Oid): Promise<SnapshotFile> {
    const known = await this.#open(commit)
    if (known !== null) return known
    await this.#makeRoom()
    await this.#build(commit)
    const built = await this.#open(commit)
    if (built === null) throw new Error('a snapshot is gone right after it was written')
    return built
  }

  async #build(commit: Oid): Promise<void> {
    const { gitDir, objectFormat } = this.#repository
    requireWholeHistory(this.#repository)
    const tree = (await runGit(gitDir, ['rev-parse', '--verify', `${commit}^{tree}`])).trim()
    const threadCount = Math.min(availableParallelism(), BUILD_THREAD_COUNT_MAX)
    const workshop = await Workshop.open(gitDir, this.#folder, threadCount)
    const catFile = new CatFile(gitDir)
    try {
      const { pool, spills } = workshop
      const read: ReadObjects = (oids, type) => catFile.read(oids, type)
      const inputs = { hashLength: hashLengthOf(objectFormat), read, pool, spills, parameters: GT1 }
      await buildSnapshot(commit, tree, inputs, (body) => this.#write(commit, body))
    } finally {
      catFile.close()
      await workshop.close()
    }
  }

  async #write(
    commit: Oid,
    body: { readonly objectCount: number; readonly length: number; readonly parts: () => AsyncIterable<Uint8Array> },
  ): Promise<void> {
    const { objectFormat } = this.#repository
    const length = PACK_HEADER_LENGTH + body.length + hashLengthOf(objectFormat)
    const file = await AtomicFile.create(this.#path(commit, 'pack'))
    try {
      const payload = createHash('sha256')
      const pack = createHash(objectFormat)
      const pieces = new PieceHasher(pieceLengthOf(length))
      const take = async (bytes: Uint8Array): Promise<void> => {
        payload.update(bytes)
        pieces.update(bytes)
        await file.write(bytes)
      }
      const header = new Uint8Array(PACK_HEADER_LENGTH)
      writePackHeader(header, 0, body.objectCount)
      pack.update(header)
      await take(header)
      for await (const part of body.parts()) {
        pack.update(part)
        await take(part)
      }
      await take(pack.digest())
      await file.commit()
      await writeFileAtomically(this.#path(commit, 'pieces'), [pieces.finish()])
      const facts: SnapshotFacts = { objectCount: body.objectCount, length, sha256: payload.digest('hex') }
      await writeFileAtomically(this.#path(commit, 'json'), [Buffer.from(`${JSON.stringify(facts)}\n`)])
    } finally {
      await file.discard()
    }
  }

  async #open(commit: Oid): Promise<SnapshotFile | null> {
    const stamp = await stampOf(this.#path(commit, 'pack'))
    const known = this.#opened.get(commit)
    if (known !== undefined && known.stamp === stamp) return known.snapshot
    this.#opened.delete(commit)
    const snapshot = stamp === null ? null : await this.#read(commit)
    if (snapshot !== null && stamp !== null) this.#opened.set(commit, { stamp, snapshot })
    return snapshot
  }

  async #read(commit: Oid): Promise<SnapshotFile | null> {
    const facts = parseFacts(await readFile(this.#path(commit, 'json'), 'utf8').catch(() => null))
    if (facts === null) return null
    const path = this.#path(commit, 'pack')
    const pieces = await readFile(this.#path(commit, 'pieces')).catch(() => null)
    if (pieces === null || (await sha256OfFile(path).catch(() => null)) !== facts.sha256) {
      return null
    }
    const pieceLength = pieceLengthOf(facts.length)
    const info = encodeInfo({ name: snapshotName(commit), length: facts.length, pieceLength, pieces })
    return {
      commit,
      objectCount: facts.objectCount,
      lengthBytes: facts.length,
      pieceLengthBytes: pieceLength,
      sha256: facts.sha256,
      info,
      infohash: infohashOf(info, (bytes) => createHash('sha1').update(bytes).digest()),
      read: (offset, length) => readPayload(path, offset, length),
    }
  }

  /** Removes half ones, and the oldest past a few: those of lines that are no line of ours any more are never listed. */
  async #makeRoom(): Promise<void> {
    await removeLeftovers(this.#folder)
    const names = await readdir(this.#folder).catch(() => [])
    const found: { readonly commit: Oid; readonly writtenMs: number }[] = []
    for (const stem of new Set(names.map((name) => name.replace(/\.(json|pack|pieces)$/, '')))) {
      if (stem.length !== 2 * hashLengthOf(this.#repository.objectFormat) || !/^[0-9a-f]+$/.test(stem)) continue
      const commit = parseOid(stem, this.#repository.objectFormat)
      const facts = await stat(this.#path(commit, 'json')).catch(() => null)
      if (facts === null) await this.#drop(commit)
      else found.push({ commit, writtenMs: facts.mtimeMs })
    }
    found.sort((a, b) => b.writtenMs - a.writtenMs)
    for (const { commit } of found.slice(SNAPSHOT_STORED_COUNT_MAX - 1)) await this.#drop(commit)
  }

  async #drop(commit: Oid): Promise<void> {
    for (const ending of ['json', 'pieces', 'pack'] as const) await rm(this.#path(commit, ending), { force: true })
  }

  #path(commit: Oid, ending: 'pack' | 'json' | 'pieces'): string {
    return join(this.#folder, `${commit}.${ending}`)
  }
}

/** Changes with the file; null if there is none. */
async function stampOf(path: string): Promise<string | null> {
  const found = await stat(path, { bigint: true }).catch(() => null)
  return found === null ? null : `${found.size} ${found.mtimeNs} ${found.ctimeNs} ${found.ino}`
}

function parseFacts(text: string | null): SnapshotFacts | null {
  try {
    const { objectCount, length, sha256 } = JSON.parse(text ?? '')
    const isValid = [objectCount, length].every((count) => Number.isSafeInteger(count) && count > 0)
    return isValid && typeof sha256 === 'string' ? { objectCount, length, sha256 } : null
  } catch {
    return null
  }
}

async function readPayload(path: string, offset: number, length: number): Promise<Uint8Array> {
  const file = await open(path)
  try {
    const bytes = await readRange(file, offset, length)
    if (bytes === null) throw new Error(`snapshot ${path}: expected ${offset + length} bytes, got fewer`)
    return bytes
  } finally {
    await file.close()
  }
}
