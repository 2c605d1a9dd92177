/**
 * Runs the engine in this process: segments of a repository's main line, with `git cat-file` as reader and a work pool
 * whose scheduling, cache and parameters a test chooses.
 */

import { createHash } from 'node:crypto'
import {
  buildSegments,
  buildSnapshot,
  CommitGraph,
  CommitMarks,
  createCheckpointRule,
  type FormatParameters,
  GT1,
  hashLengthOf,
  LineState,
  layOutLink,
  MemorySink,
  ObjectRows,
  type Oid,
  PACK_HEADER_LENGTH,
  readLine,
  runDiffTask,
  runPlaceTask,
  runSnapshotTask,
  type SpillStore,
  type WorkPool,
  type WorkTools,
  writePackHeader,
} from '../../engine/index.ts'
import { pickDeflate, pickDeflatePart } from '../../helper/build/deflate.ts'
import { CatFile } from '../../helper/git/cat-file.ts'
import { readCommits } from '../../helper/git/commits.ts'
import type { ObjectFormat } from '../support/object-writer.ts'

/** Small bounds, so that histories of forty commits meet them. */
export const TIGHT: FormatParameters = { ...GT1, checkpointModulus: 2, depthMax: 6, spineDepthMax: 4, depthStep: 2 }

export interface BuiltForTest {
  readonly tip: string
  readonly base: string | null
  readonly bytes: Uint8Array
  readonly objectCount: number
  /** Objects in the order of their entries. */
  readonly oids: readonly string[]
}

export interface HarnessOptions {
  readonly parameters?: FormatParameters
  readonly cacheLengthMax?: number
  readonly pendingLengthMax?: number
  readonly heavyLength?: number
  /** Where compressed entries go, and how to read them back; memory unless given. */
  readonly openSinks?: WorkTools['openSinks']
  readonly spills?: SpillStore
  /** Awaited before each task: decides in which order tasks run. */
  readonly delay?: () => Promise<void>
  /** Checkpoints of at least this level cut the line; every one unless given. */
  readonly cutLevel?: number
}

/** Segments from the root to the newest checkpoint, and one more to the tip. */
export async function buildLine(
  gitDir: string,
  objectFormat: ObjectFormat,
  tip: string,
  options: HarnessOptions = {},
): Promise<BuiltForTest[]> {
  const parameters = options.parameters ?? GT1
  const graph = new CommitGraph(objectFormat)
  await readCommits(gitDir, [tip], graph)
  const line = readLine(graph, tip as Oid, await createCheckpointRule(parameters))
  const cuts: string[] = line.checkpoints.filter(({ level }) => level >= (options.cutLevel ?? 0)).map(({ oid }) => oid)
  cuts.reverse()
  if (cuts.at(-1) !== tip) cuts.push(tip)
  const ranges = cuts.map((cut, index) => ({ tip: cut, base: cuts[index - 1] ?? null }))
  const { catFile, pool } = openWork(gitDir, options)
  const rows = new ObjectRows(hashLengthOf(objectFormat))
  const inputs = {
    graph,
    line: new LineState(rows),
    taken: new CommitMarks(graph),
    pool,
    spills: options.spills ?? null,
    parameters,
  }
  const built: BuiltForTest[] = []
  try {
    await buildSegments(ranges, inputs, async ({ range, parts, objectCount, numbers }) => {
      const pieces: Uint8Array[] = []
      for await (const piece of parts()) pieces.push(piece)
      const bytes = Buffer.concat(pieces)
      built.push({ ...range, bytes, objectCount, oids: Array.from(numbers, (number) => rows.oidOf(number)) })
    })
  } finally {
    catFile.close()
  }
  return built
}

/** The snapshot of a commit: a whole pack. */
export async function snapshotOf(
  gitDir: string,
  objectFormat: ObjectFormat,
  commit: string,
  options: HarnessOptions = {},
): Promise<Uint8Array> {
  const { catFile, pool } = openWork(gitDir, options)
  const [content] = await catFile.read([commit])
  const tree =
    Buffer.from(content ?? [])
      .toString('latin1')
      .slice('tree '.length)
      .split('\n')[0] ?? ''
  const parts: Uint8Array[] = [new Uint8Array(PACK_HEADER_LENGTH)]
  const inputs = {
    hashLength: hashLengthOf(objectFormat),
    read: (oids: readonly string[]) => catFile.read(oids),
    pool,
    spills: options.spills ?? null,
    parameters: options.parameters ?? GT1,
  }
  try {
    await buildSnapshot(commit, tree, inputs, async (body) => {
      writePackHeader(parts[0] ?? new Uint8Array(0), 0, body.objectCount)
      for await (const part of body.parts()) parts.push(part)
    })
  } finally {
    catFile.close()
  }
  const hash = createHash(objectFormat)
  for (const part of parts) hash.update(part)
  return Buffer.concat([...parts, hash.digest()])
}

function openWork(gitDir: string, options: HarnessOptions): { catFile: CatFile; pool: WorkPool } {
  const catFile = new CatFile(gitDir)
  const tools = {
    read: (oids: readonly string[]) => catFile.read(oids),
    readContents: (oids: readonly string[], lengthMax: number) => catFile.readUpTo(oids, lengthMax),
    stream: (oid: string) => catFile.stream(oid),
    deflate: pickDeflate(),
    deflatePart: pickDeflatePart(),
    openSinks: options.openSinks ?? (() => () => new MemorySink()),
    cacheLengthMax: options.cacheLengthMax ?? 1 << 24,
    heavyGate: { enter() {}, leave() {} },
    heavyLength: options.heavyLength ?? 1 << 23,
    pendingLengthMax: options.pendingLengthMax ?? 1 << 24,
  }
  return { catFile, pool: poolOf(tools, options.delay) }
}

function poolOf(tools: WorkTools, delay: () => Promise<void> = async () => {}): WorkPool {
  return {
    diff: async (task) => {
      await delay()
      return runDiffTask(structuredClone(task), tools)
    },
    place: async (task) => {
      await delay()
      return runPlaceTask(task, tools)
    },
    snapshot: async (task) => {
      await delay()
      return runSnapshotTask(task, tools)
    },
  }
}

/** One pack of all bodies, oldest first: the link from the newest of them down to the root, without bundle header. */
export function packOf(segments: readonly BuiltForTest[], objectFormat: ObjectFormat): Uint8Array {
  const tip = segments.at(-1)?.tip as Oid
  const sizes = segments.map(({ objectCount, bytes }) => ({ objectCount, length: bytes.length }))
  const layout = layOutLink({ tip, base: null }, objectFormat, sizes)
  const parts = [layout.header.subarray(layout.packOffset), ...segments.map(({ bytes }) => bytes)]
  const hash = createHash(objectFormat)
  for (const part of parts) hash.update(part)
  return Buffer.concat([...parts, hash.digest()])
}

/** SHA-256 of each body: what "the same bytes" means in an assertion that stays readable. */
export function digestsOf(segments: readonly BuiltForTest[]): string[] {
  return segments.map(({ tip, bytes }) => `${tip} ${createHash('sha256').update(bytes).digest('hex')}`)
}
