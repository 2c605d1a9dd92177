/**
 * All links of a tip in memory, from commits and a reader of objects alone: what a program does that keeps no segments.
 * Coarse segments are built from the root; fine ones start anew from every coarse checkpoint, on its coarse encoding
 * (FORMAT.md, "Segments" and "Chains"). Nothing is stored, so a second call builds everything again.
 */

import { buildSegments } from './build.ts'
import { type Checkpoint, type Grain, type LinkPlan, planChain, readLine, type SegmentPlan } from './chain.ts'
import { createCheckpointRule } from './checkpoint.ts'
import type { CommitGraph } from './commit-graph.ts'
import { CommitMarks, takeCommits } from './commit-order.ts'
import { type Deflate, deflateReference } from './deflate.ts'
import { assert } from './errors.ts'
import { GT1 } from './format.ts'
import { MemorySink } from './held-bytes.ts'
import { LineState, ObjectRows } from './line-state.ts'
import { layOutLink } from './link.ts'
import { type DeflatePart, deflatePartReference } from './long-entry.ts'
import { BLOB } from './object.ts'
import { hashLengthOf, type ObjectFormat, type Oid } from './oid.ts'
import type { RunningHash } from './pack-reader.ts'
import { segmentNameOf } from './segment-name.ts'
import type { ReadObjects } from './tree-diff.ts'
import { runDiffTask, runPlaceTask, runSnapshotTask, type WorkPool, type WorkTools } from './work.ts'

/** Bytes of object contents that are kept at a time, unless told: enough for the hot files of most histories. */
const CACHE_LENGTH_MAX = 64 * 1024 * 1024
/** Bytes of deltas that may wait for their turn. */
const PENDING_LENGTH_MAX = 64 * 1024 * 1024
/** Objects longer than this are read when they are needed, not kept. Bytes. */
const HEAVY_LENGTH = 8 * 1024 * 1024

/** What building needs of its surroundings. */
export interface ChainTools {
  /** Contents of objects by name, without their headers, in the order asked. */
  readonly read: ReadObjects
  /** A fresh hash of an object format. */
  readonly hash: (format: ObjectFormat) => RunningHash
  /** The compressor, from `selectDeflate`; the norm itself unless given, which is slower and gives the same bytes. */
  readonly deflate?: Deflate
  /** The compressor of parts of long objects, from `selectDeflatePart`; the norm itself unless given. */
  readonly deflatePart?: DeflatePart
  /** Bytes of object contents to keep at a time; changes no byte of the result. */
  readonly cacheLengthMax?: number
}

export interface BuiltLink {
  readonly plan: LinkPlan
  /** The whole payload: a bundle that `git bundle unbundle` and `git clone` read. */
  readonly payload: Uint8Array
  readonly objectCount: number
}

/**
 * Builds the links of a tip's chain, oldest first; none when its line has no checkpoint. The newest link ends at the
 * newest checkpoint at or below the tip.
 * @param graph every commit that is reachable from the tip
 * @throws EngineError 'object-missing', 'object-malformed'; what `tools.read` throws
 */
export async function buildChain(graph: CommitGraph, tip: Oid, tools: ChainTools): Promise<BuiltLink[]> {
  const line = readLine(graph, tip, await createCheckpointRule(GT1))
  const plans = planChain(line, GT1)
  const wanted = new Set(plans.flatMap(({ segments }) => segments.map(segmentNameOf)))
  const builder = new ChainBuilder(graph, poolOf(tools), wanted)
  const ascending = [...line.checkpoints].reverse()
  const coarse = ascending.filter(({ level }) => level >= GT1.coarseLevel)
  const coarseLine = builder.newLine()
  await builder.build(segmentsOf('coarse', coarse, null), coarseLine)
  // The fine runs: below the first coarse checkpoint, and from each to the next one or to the end.
  for (let below = 0; below <= coarse.length; below++) {
    const from = coarse[below - 1] ?? null
    const to = coarse[below]?.height ?? line.length
    const run = ascending.filter(({ height }) => height > (from?.height ?? 0) && height <= to)
    const segments = segmentsOf('fine', run, from?.oid ?? null)
    const last = segments.findLastIndex((segment) => wanted.has(segmentNameOf(segment)))
    await builder.build(segments.slice(0, last + 1), builder.newLine(coarseLine, below))
  }
  return plans.reverse().map((plan) => assemble(plan, graph.format, builder.built, tools))
}

interface SegmentBytes {
  readonly objectCount: number
  readonly bytes: Uint8Array
}

class ChainBuilder {
  /** Built segments that are wanted, by name. */
  readonly built = new Map<string, SegmentBytes>()
  readonly #graph: CommitGraph
  readonly #pool: WorkPool
  readonly #wanted: ReadonlySet<string>
  readonly #rows: ObjectRows

  constructor(graph: CommitGraph, pool: WorkPool, wanted: ReadonlySet<string>) {
    this.#graph = graph
    this.#pool = pool
    this.#wanted = wanted
    this.#rows = new ObjectRows(hashLengthOf(graph.format))
  }

  newLine(parent: LineState | null = null, parentSegmentCount = 0): LineState {
    return new LineState(this.#rows, parent, parentSegmentCount)
  }

  /** Builds consecutive segments on a line that stands at the base of the first. */
  async build(segments: readonly SegmentPlan[], line: LineState): Promise<void> {
    const [first] = segments
    if (first === undefined) return
    const taken = new CommitMarks(this.#graph)
    if (first.base !== null) takeCommits(this.#graph, this.#graph.numberOf(first.base), taken)
    const inputs = { graph: this.#graph, line, taken, pool: this.#pool, spills: null, parameters: GT1 }
    let index = 0
    await buildSegments(segments, inputs, async ({ objectCount, length, parts }) => {
      const plan = segments[index++]
      assert(plan !== undefined, 'segments come in the order of their ranges')
      const name = segmentNameOf(plan)
      if (this.#wanted.has(name)) this.built.set(name, { objectCount, bytes: await joined(parts(), length) })
    })
  }
}

/** Segments between neighbouring checkpoints, oldest first; the first one's base is `base`. */
function segmentsOf(grain: Grain, ascending: readonly Checkpoint[], base: Oid | null): SegmentPlan[] {
  return ascending.map(({ oid }, index) => ({ grain, tip: oid, base: ascending[index - 1]?.oid ?? base }))
}

function assemble(
  plan: LinkPlan,
  format: ObjectFormat,
  built: ReadonlyMap<string, SegmentBytes>,
  tools: ChainTools,
): BuiltLink {
  const segments = plan.segments.map((segment) => {
    const found = built.get(segmentNameOf(segment))
    assert(found !== undefined, 'every segment of a plan was built')
    return found
  })
  const sizes = segments.map(({ objectCount, bytes }) => ({ objectCount, length: bytes.length }))
  const { header, packOffset, bodyOffsets, length, trailerLength } = layOutLink(plan, format, sizes)
  const payload = new Uint8Array(length)
  payload.set(header)
  segments.forEach(({ bytes }, index) => {
    payload.set(bytes, bodyOffsets[index] ?? 0)
  })
  const hash = tools.hash(format)
  hash.update(payload.subarray(packOffset, length - trailerLength))
  payload.set(hash.digest(), length - trailerLength)
  return { plan, payload, objectCount: sizes.reduce((sum, { objectCount }) => sum + objectCount, 0) }
}

async function joined(parts: AsyncIterable<Uint8Array>, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let at = 0
  for await (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** Runs every task at once, in this thread, with everything in memory. */
function poolOf({ read, deflate, deflatePart, cacheLengthMax }: ChainTools): WorkPool {
  const tools: WorkTools = {
    read,
    // All objects of one request are of one shard, and so of one type.
    readContents: async (oids, lengthMax, types) =>
      (await read(oids, types[0] ?? BLOB)).map((bytes) => (bytes.length > lengthMax ? bytes.length : bytes)),
    stream: async function* (oid, type) {
      yield* await read([oid], type)
    },
    deflate: deflate ?? deflateReference,
    deflatePart: deflatePart ?? deflatePartReference,
    openSinks: () => () => new MemorySink(),
    cacheLengthMax: cacheLengthMax ?? CACHE_LENGTH_MAX,
    heavyLength: HEAVY_LENGTH,
    heavyGate: { enter: () => {}, leave: () => {} },
    pendingLengthMax: PENDING_LENGTH_MAX,
  }
  return {
    diff: (task) => runDiffTask(task, tools),
    place: (task) => runPlaceTask(task, tools),
    snapshot: (task) => runSnapshotTask(task, tools),
  }
}
