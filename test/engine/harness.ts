/**
 * Runs the engine in this process: segments of a repository's main line, with `git cat-file` as reader and a work pool
 * whose scheduling, cache and parameters a test chooses.
 */

import { createHash } from 'node:crypto'
import type { NumberSource } from '../../bench/random-numbers.ts'
import {
  type BuildInputs,
  buildSegments,
  buildSnapshot,
  COMMIT,
  CommitGraph,
  CommitMarks,
  createCheckpointRule,
  type Deflate,
  type DeflatePart,
  type FormatParameters,
  GT1,
  hashLengthOf,
  LineState,
  layOutLink,
  MemorySink,
  ObjectRows,
  type ObjectType,
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

/** Picked once: each time they show that they give the bytes of the norm, which takes longer than a small line. */
const NATIVE = { deflate: pickDeflate(), deflatePart: pickDeflatePart() }

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
  /** Picks which of the waiting tasks runs next; first come first served unless given. */
  readonly pickTask?: NumberSource
  /** Picks how many objects of a request are read at a time; all of them unless given. */
  readonly pickRead?: NumberSource
  readonly deflate?: Deflate
  readonly deflatePart?: DeflatePart
  readonly workSizes?: NonNullable<BuildInputs['workSizes']>
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
    ...(options.workSizes === undefined ? {} : { workSizes: options.workSizes }),
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
  const [content] = await catFile.read([commit], COMMIT)
  const tree =
    Buffer.from(content ?? [])
      .toString('latin1')
      .slice('tree '.length)
      .split('\n')[0] ?? ''
  const parts: Uint8Array[] = [new Uint8Array(PACK_HEADER_LENGTH)]
  const inputs = {
    hashLength: hashLengthOf(objectFormat),
    read: (oids: readonly string[], type: ObjectType) => catFile.read(oids, type),
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
  return { catFile, pool: poolOf(toolsOf(catFile, options), options.pickTask) }
}

function toolsOf(catFile: CatFile, options: HarnessOptions): WorkTools {
  const { pickRead } = options
  return {
    read: (oids, type) => inPieces(oids, pickRead, (piece) => catFile.read(piece, type)),
    readContents: (oids, lengthMax, types) =>
      inPieces(oids, pickRead, (piece, at) => catFile.readUpTo(piece, lengthMax, types.slice(at))),
    stream: (oid) => catFile.stream(oid),
    deflate: options.deflate ?? NATIVE.deflate,
    deflatePart: options.deflatePart ?? NATIVE.deflatePart,
    openSinks: options.openSinks ?? (() => () => new MemorySink()),
    cacheLengthMax: options.cacheLengthMax ?? 1 << 24,
    heavyGate: { enter() {}, leave() {} },
    heavyLength: options.heavyLength ?? 1 << 23,
    pendingLengthMax: options.pendingLengthMax ?? 1 << 24,
  }
}

/** Answers a request by several smaller ones, each after the one before. */
async function inPieces<Content>(
  oids: readonly string[],
  pick: NumberSource | undefined,
  read: (piece: readonly string[], at: number) => Promise<Content[]>,
): Promise<Content[]> {
  if (pick === undefined) return read(oids, 0)
  const contents: Content[] = []
  while (contents.length < oids.length) {
    const at = contents.length
    contents.push(...(await read(oids.slice(at, at + 1 + pick(5)), at)))
  }
  return contents
}

function poolOf(tools: WorkTools, pickTask: NumberSource = () => 0): WorkPool {
  const waiting: (() => void)[] = []
  const turn = <Result>(run: () => Promise<Result>): Promise<Result> =>
    new Promise((resolve, reject) => {
      waiting.push(() => run().then(resolve, reject))
      // Whoever submits in the same turn of the event loop waits as well, and may be taken first.
      setImmediate(() => waiting.splice(pickTask(waiting.length), 1)[0]?.())
    })
  return {
    diff: (task) => turn(() => runDiffTask(structuredClone(task), tools)),
    place: (task) => turn(() => runPlaceTask(task, tools)),
    snapshot: (task) => turn(() => runSnapshotTask(task, tools)),
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
