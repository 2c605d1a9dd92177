/**
 * Brings the store up to what the lines of a history need: loads what is stored, builds what is missing, oldest first.
 * Coarse segments come first; fine ones start from the coarse checkpoint below them. A branch sees the segments of the
 * line it leaves. Stored bodies without rows (a fresh clone) are built again and so verified.
 */

import {
  type BuiltSegment,
  buildSegments,
  type Checkpoint,
  CommitMarks,
  encodeSegmentRows,
  type Grain,
  GT1,
  hashLengthOf,
  LineState,
  loadSegmentRows,
  ObjectRows,
  type SegmentPlan,
  type SpillStore,
  segmentNameOf,
  takeCommits,
  type WorkPool,
} from '../../engine/index.ts'
import type { SegmentStore } from '../store/segment-store.ts'
import type { History, HistoryLine } from './history.ts'

export interface BuildReport {
  readonly built: number
  readonly loaded: number
}

export interface BuildPorts {
  readonly store: SegmentStore
  /** Called when the first segment has to be built, at most once. */
  readonly openWorkshop: () => Promise<{ readonly pool: WorkPool; readonly spills: SpillStore }>
  readonly onSegment: (segment: BuiltSegment, grain: Grain) => void
}

/** State of a line's coarse segments, for the lines that branch off it. */
interface LineProgress {
  readonly state: LineState
  /** Coarse checkpoints of the line, oldest first, those of the line it left included. */
  readonly coarse: readonly Checkpoint[]
}

/** @throws HelperError, EngineError; what was built before stays stored */
export async function buildHistory(history: History, ports: BuildPorts): Promise<BuildReport> {
  if (await isComplete(history, ports.store)) return { built: 0, loaded: 0 }
  const builder = new HistoryBuilder(history, ports)
  for (const line of history.lines) await builder.buildLine(line)
  return builder.report
}

/** Tells whether every segment that the lines need is stored, and built here. */
export async function isComplete({ lines }: History, store: SegmentStore): Promise<boolean> {
  for (const { links } of lines) {
    for (const plan of links.flatMap(({ segments }) => segments)) {
      if (!store.isOwnWork(plan) || (await store.find(plan)) === null) return false
    }
  }
  return true
}

class HistoryBuilder {
  readonly #history: History
  readonly #ports: BuildPorts
  readonly #rows: ObjectRows
  readonly #progress: LineProgress[] = []
  #workshop: { readonly pool: WorkPool; readonly spills: SpillStore } | null = null
  #built = 0
  #loaded = 0

  constructor(history: History, ports: BuildPorts) {
    this.#history = history
    this.#ports = ports
    this.#rows = new ObjectRows(hashLengthOf(history.graph.format))
  }

  get report(): BuildReport {
    return { built: this.#built, loaded: this.#loaded }
  }

  async buildLine({ line, links }: HistoryLine): Promise<void> {
    const top = line.checkpoints[0]
    if (top === undefined) return
    const ascending = [...line.checkpoints].reverse()
    const coarse = ascending.filter((checkpoint) => checkpoint.level >= GT1.coarseLevel)
    const state = this.#forkCoarse(coarse)
    const start = state.segmentCountBelow
    await this.#ensure(plansBetween('coarse', coarse, start), state.line, this.#marksAt(coarse[start - 1] ?? null))
    this.#progress.push({ state: state.line, coarse })
    await this.#buildFine(
      ascending,
      coarse,
      state,
      new Set(links.flatMap(({ segments }) => segments.map(segmentNameOf))),
    )
  }

  /** A line state that starts from the segments which an earlier line shares with this one. */
  #forkCoarse(coarse: readonly Checkpoint[]): CoarseState {
    let best: CoarseState = { line: new LineState(this.#rows), segmentCountBelow: 0, below: null }
    for (const progress of this.#progress) {
      let shared = 0
      while (shared < coarse.length && coarse[shared]?.oid === progress.coarse[shared]?.oid) shared++
      if (shared <= best.segmentCountBelow) continue
      best = { line: this.#stateAt(progress, shared), segmentCountBelow: shared, below: progress }
    }
    return best
  }

  /** The line state after the first `count` coarse segments of a line, ready for others. */
  #stateAt({ state, coarse }: LineProgress, count: number): LineState {
    // A line that left another counts only its own segments; those below belong to its parent.
    const own = count - (coarse.length - state.segmentCount)
    if (own >= 0) return new LineState(this.#rows, state, own)
    const parent = this.#progress.find(
      (other) => other.state !== state && other.coarse[count - 1]?.oid === coarse[count - 1]?.oid,
    )
    return parent === undefined ? new LineState(this.#rows, state, 0) : this.#stateAt(parent, count)
  }

  async #buildFine(
    ascending: readonly Checkpoint[],
    coarse: readonly Checkpoint[],
    state: CoarseState,
    needed: ReadonlySet<string>,
  ): Promise<void> {
    const progress = { state: state.line, coarse }
    for (let below = -1; below < coarse.length; below++) {
      const from = below < 0 ? -1 : ascending.findIndex(({ oid }) => oid === coarse[below]?.oid)
      const next = coarse[below + 1]
      const to = next === undefined ? ascending.length - 1 : ascending.findIndex(({ oid }) => oid === next.oid)
      const base = ascending[from] ?? null
      const plans = plansBetween('fine', ascending.slice(from + 1, to + 1), 0, base)
      const last = plans.findLastIndex((plan) => needed.has(segmentNameOf(plan)))
      if (last < 0) continue
      const line = below < 0 ? new LineState(this.#rows) : this.#stateAt(progress, below + 1)
      await this.#ensure(plans.slice(0, last + 1), line, this.#marksAt(base))
    }
  }

  #marksAt(checkpoint: Checkpoint | null): CommitMarks {
    const { graph } = this.#history
    const marks = new CommitMarks(graph)
    if (checkpoint !== null) takeCommits(graph, graph.numberOf(checkpoint.oid), marks)
    return marks
  }

  /** Loads the stored segments at the start of a run, builds the rest. */
  async #ensure(plans: readonly SegmentPlan[], line: LineState, taken: CommitMarks): Promise<void> {
    const { store, onSegment } = this.#ports
    const { graph } = this.#history
    let at = 0
    for (; at < plans.length; at++) {
      const plan = plans[at]
      if (plan === undefined) break
      const rows = (await store.find(plan)) === null ? null : await store.readRows(plan)
      if (rows === null) break
      loadSegmentRows(rows, line)
      takeCommits(graph, graph.numberOf(plan.tip), taken)
      this.#loaded++
    }
    const missing = plans.slice(at)
    if (missing.length === 0) return
    const { pool, spills } = (this.#workshop ??= await this.#ports.openWorkshop())
    let index = 0
    await buildSegments(missing, { graph, line, taken, pool, spills, parameters: GT1 }, async (segment) => {
      const plan = missing[index++]
      if (plan === undefined) return
      await store.writeRows(plan, encodeSegmentRows(segment.numbers, this.#rows))
      await store.writeBody(plan, segment)
      this.#built++
      onSegment(segment, plan.grain)
    })
  }
}

interface CoarseState {
  readonly line: LineState
  /** Coarse segments that an earlier line holds. */
  readonly segmentCountBelow: number
  readonly below: LineProgress | null
}

/** Consecutive segments that end at checkpoints[start…], the first one starting at the checkpoint before, or at `base`. */
function plansBetween(
  grain: Grain,
  checkpoints: readonly Checkpoint[],
  start: number,
  base: Checkpoint | null = null,
): SegmentPlan[] {
  return checkpoints.slice(start).map((checkpoint, index) => ({
    grain,
    tip: checkpoint.oid,
    base: (checkpoints[start + index - 1] ?? (start + index === 0 ? base : null))?.oid ?? null,
  }))
}
