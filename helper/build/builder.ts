/**
 * Brings the store up to what the lines of a history need: loads what is stored, builds what is missing, oldest first.
 * Coarse segments come first; fine ones start from the coarse checkpoint below them. A branch sees the segments of the
 * line it leaves. Stored bodies without rows (a fresh clone) are built again and so verified. A line with nothing to
 * build is not even loaded, unless another one leaves it.
 */

import {
  type BuiltSegment,
  buildSegments,
  type Checkpoint,
  CommitMarks,
  EngineError,
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

/** Rows read at a time. */
const ROWS_READ_COUNT = 64
/** Segments written at a time: each waits for the disk, which takes many at once. */
const SEGMENT_WRITE_COUNT = 8

export interface BuildPorts {
  readonly store: SegmentStore
  /** Called when the first segment has to be built, at most once. */
  readonly openWorkshop: () => Promise<{ readonly pool: WorkPool; readonly spills: SpillStore }>
  /** Called once, before the first segment is built: how many commits all of them walk. */
  readonly onStart: (commitCount: number) => void
  readonly onSegment: (segment: BuiltSegment, grain: Grain) => void
}

/** A line's coarse segments, for its fine ones and for the lines that branch off it. */
interface CoarseLine {
  /** Stands at the line's newest coarse checkpoint once it is loaded. */
  readonly state: LineState
  /** Coarse checkpoints of the line, oldest first, those of the line it left included. */
  readonly coarse: readonly Checkpoint[]
  /** The line that holds the first `countBelow` of them. */
  readonly below: CoarseLine | null
  readonly countBelow: number
  isLoaded: boolean
}

/** Fine segments over one coarse checkpoint, as far as links need them, oldest first. */
interface FineRun {
  /** Coarse segments under them. */
  readonly coarseCount: number
  readonly plans: readonly SegmentPlan[]
}

/** @throws HelperError, EngineError; what was built before stays stored */
export async function buildHistory(history: History, ports: BuildPorts): Promise<BuildReport> {
  const builder = new HistoryBuilder(history, ports)
  const commitCount = await builder.countMissing()
  if (commitCount > 0) ports.onStart(commitCount)
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
  readonly #lines: CoarseLine[] = []
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

  /** Commits of all segments that have to be built; those of several segments count in each. */
  async countMissing(): Promise<number> {
    let count = 0
    const seen = new Set<string>()
    for (const line of this.#history.lines) {
      const runs = fineRunsOf(line).map(({ plans }) => plans)
      if (await this.#isComplete(line)) continue
      for (const plans of [plansBetween('coarse', coarseOf(line)), ...runs]) count += await this.#countRun(plans, seen)
    }
    return count
  }

  async #countRun(plans: readonly SegmentPlan[], seen: Set<string>): Promise<number> {
    const { graph } = this.#history
    let count = 0
    let marks: CommitMarks | null = null
    for (const plan of plans) {
      const isMissing = !seen.has(segmentNameOf(plan)) && !(await this.#isStored(plan))
      if (!isMissing && marks === null) continue
      marks ??= this.#marksAt(plan.base)
      const { length } = takeCommits(graph, graph.numberOf(plan.tip), marks)
      if (isMissing) count += length
      seen.add(segmentNameOf(plan))
    }
    return count
  }

  async buildLine(historyLine: HistoryLine): Promise<void> {
    const line = this.#openCoarse(coarseOf(historyLine))
    this.#lines.push(line)
    if (await this.#isComplete(historyLine)) return
    await this.#load(line)
    for (const { coarseCount, plans } of fineRunsOf(historyLine)) {
      if (await this.#areStored(plans)) continue
      await this.#ensure(plans, coarseCount === 0 ? new LineState(this.#rows) : this.#stateAt(line, coarseCount))
    }
  }

  #isComplete({ links }: HistoryLine): Promise<boolean> {
    return this.#areStored(links.flatMap(({ segments }) => segments))
  }

  async #areStored(plans: readonly SegmentPlan[]): Promise<boolean> {
    for (const plan of plans) if (!(await this.#isStored(plan))) return false
    return true
  }

  async #isStored(plan: SegmentPlan): Promise<boolean> {
    return this.#ports.store.isOwnWork(plan) && (await this.#ports.store.find(plan)) !== null
  }

  /** A line that starts from the segments which an earlier line shares with this one. */
  #openCoarse(coarse: readonly Checkpoint[]): CoarseLine {
    let below: CoarseLine | null = null
    let countBelow = 0
    for (const line of this.#lines) {
      let shared = 0
      while (shared < coarse.length && coarse[shared]?.oid === line.coarse[shared]?.oid) shared++
      if (shared <= countBelow) continue
      below = line
      countBelow = shared
    }
    const state = below === null ? new LineState(this.#rows) : this.#stateAt(below, countBelow)
    return { state, coarse, below, countBelow, isLoaded: false }
  }

  /** The line state after the first `count` coarse segments of a line, ready for others. */
  #stateAt({ state, below, countBelow }: CoarseLine, count: number): LineState {
    if (count >= countBelow || below === null) return new LineState(this.#rows, state, count - countBelow)
    return this.#stateAt(below, count)
  }

  /** Loads or builds a line's coarse segments, those of the lines below first. */
  async #load(line: CoarseLine): Promise<void> {
    if (line.isLoaded) return
    line.isLoaded = true
    if (line.below !== null) await this.#load(line.below)
    await this.#ensure(plansBetween('coarse', line.coarse).slice(line.countBelow), line.state)
  }

  #marksAt(oid: string | null): CommitMarks {
    const { graph } = this.#history
    const marks = new CommitMarks(graph)
    if (oid !== null) takeCommits(graph, graph.numberOf(oid), marks)
    return marks
  }

  /** Loads what is stored of consecutive segments, builds the rest; `line` stands at the base of the first. */
  async #ensure(plans: readonly SegmentPlan[], line: LineState): Promise<void> {
    const isStored: boolean[] = []
    for (const plan of plans) isStored.push(await this.#isStored(plan))
    for (let at = 0; at < plans.length; ) {
      const start = await this.#loadStored(plans, at, line)
      const end = isStored.indexOf(true, start + 1)
      at = end < 0 ? plans.length : end
      if (start < at) await this.#build(plans.slice(start, at), line)
    }
  }

  /** Loads stored segments from `start` on; returns the index of the first that is not stored. */
  async #loadStored(plans: readonly SegmentPlan[], start: number, line: LineState): Promise<number> {
    const { store } = this.#ports
    for (let at = start; at < plans.length; at += ROWS_READ_COUNT) {
      const chunk = plans.slice(at, at + ROWS_READ_COUNT)
      const rows = await Promise.all(
        chunk.map(async (plan) => ((await store.find(plan)) === null ? null : store.readRows(plan))),
      )
      for (const [index, bytes] of rows.entries()) {
        if (bytes === null || !loadsRows(bytes, line)) return at + index
        this.#loaded++
      }
    }
    return plans.length
  }

  async #build(missing: readonly SegmentPlan[], line: LineState): Promise<void> {
    const { store, onSegment } = this.#ports
    const { graph } = this.#history
    const taken = this.#marksAt(missing[0]?.base ?? null)
    const { pool, spills } = (this.#workshop ??= await this.#ports.openWorkshop())
    const inputs = { graph, line, taken, pool, spills, parameters: GT1, handOverCount: SEGMENT_WRITE_COUNT }
    let index = 0
    await buildSegments(missing, inputs, async (segment) => {
      const plan = missing[index++]
      if (plan === undefined) return
      await store.writeRows(plan, encodeSegmentRows(segment.numbers, this.#rows))
      await store.writeBody(plan, segment)
      this.#built++
      onSegment(segment, plan.grain)
    })
  }
}

/** Coarse checkpoints of a line, oldest first. */
function coarseOf({ line }: HistoryLine): Checkpoint[] {
  return line.checkpoints.filter((checkpoint) => checkpoint.level >= GT1.coarseLevel).reverse()
}

/** The fine segments that a line's links need, and those below each over the same coarse checkpoint. */
function fineRunsOf({ line, links }: HistoryLine): FineRun[] {
  const fine = links.flatMap(({ segments }) => segments).filter(({ grain }) => grain === 'fine')
  const needed = new Set(fine.map(({ tip }) => tip))
  const runs: FineRun[] = []
  let run: Checkpoint[] = []
  let base: Checkpoint | null = null
  let coarseCount = 0
  const close = (): void => {
    const count = run.findLastIndex(({ oid }) => needed.has(oid)) + 1
    if (count > 0) runs.push({ coarseCount, plans: plansBetween('fine', run.slice(0, count), base) })
  }
  for (const checkpoint of [...line.checkpoints].reverse()) {
    run.push(checkpoint)
    if (checkpoint.level < GT1.coarseLevel) continue
    close()
    run = []
    base = checkpoint
    coarseCount++
  }
  close()
  return runs
}

/** Consecutive segments that end at the checkpoints, the first one starting at `base`. */
function plansBetween(grain: Grain, checkpoints: readonly Checkpoint[], base: Checkpoint | null = null): SegmentPlan[] {
  return checkpoints.map((checkpoint, index) => ({
    grain,
    tip: checkpoint.oid,
    base: (checkpoints[index - 1] ?? base)?.oid ?? null,
  }))
}

/** Loads stored rows into a line; false, and the line as it was, when they are damaged. */
function loadsRows(rows: Uint8Array, line: LineState): boolean {
  try {
    loadSegmentRows(rows, line)
    return true
  } catch (error) {
    if (error instanceof EngineError) return false
    throw error
  }
}
