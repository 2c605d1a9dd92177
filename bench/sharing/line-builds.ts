/**
 * Real builds of a main line cut anywhere: coarse segments from the root to HEAD, fine ones over any of their cuts.
 * Keeps sizes and depths, not bytes. What is above the last cut is built as one more segment, so that every object of
 * the line has a stored size.
 */

import { buildSegments, CommitMarks, GT1, LineState, ObjectRows, takeCommits } from '../../engine/index.ts'
import type { Workshop } from '../../helper/build/workshop.ts'
import type { MainLine } from './main-line.ts'

export interface CutSegment {
  /** Heights: the segment brings what `tip` reaches and `base` does not; 0 is below the root. */
  readonly base: number
  readonly tip: number
  readonly byteCount: number
  readonly objectCount: number
  readonly commitCount: number
  readonly depthMax: number
}

/** Called with every object of a segment: its row in `rows` and the bytes of its entry. */
type OnObject = (row: number, byteCount: number) => void

export class LineBuild {
  readonly rows = new ObjectRows(20)
  readonly state = new LineState(this.rows)
  readonly #line: MainLine
  readonly #workshop: Workshop
  #coarse: readonly CutSegment[] = []

  constructor(line: MainLine, workshop: Workshop) {
    this.#line = line
    this.#workshop = workshop
  }

  /** Builds the segments between consecutive `heights`, ascending, which end at the tip of the line. */
  async buildCoarse(heights: readonly number[], onObject: OnObject = () => {}): Promise<readonly CutSegment[]> {
    const marks = new CommitMarks(this.#line.graph)
    this.#coarse = await this.#build([0, ...heights], this.state, marks, onObject)
    return this.#coarse
  }

  /**
   * Builds the fine segments that end at `heights`, ascending and above the coarse cut `first`; each takes the coarse
   * segments up to the last coarse cut below it as older, as FORMAT.md says.
   */
  async buildFine(
    first: number,
    heights: readonly number[],
    onObject: OnObject = () => {},
  ): Promise<readonly CutSegment[]> {
    const segments: CutSegment[] = []
    const marks = new CommitMarks(this.#line.graph)
    for (const [index, coarse] of this.#coarse.entries()) {
      const mine = heights.filter((height) => height > Math.max(coarse.base, first) && height <= coarse.tip)
      if (mine.length > 0) {
        const branch = new LineState(this.rows, this.state, index)
        const older = marks.clone(this.#line.graph)
        segments.push(...(await this.#build([coarse.base, ...mine], branch, older, onObject)))
      }
      takeCommits(this.#line.graph, this.#line.graph.numberOf(this.#line.oids[coarse.tip] ?? ''), marks)
    }
    return segments
  }

  async #build(cuts: readonly number[], line: LineState, taken: CommitMarks, onObject: OnObject) {
    const { oids, graph } = this.#line
    const segments: CutSegment[] = []
    const ranges = cuts.slice(1).map((tip, index) => {
      const base = cuts[index] ?? 0
      return { tip: oids[tip] ?? '', base: base === 0 ? null : (oids[base] ?? '') }
    })
    const { pool, spills } = this.#workshop
    await buildSegments(ranges, { graph, line, taken, pool, spills, parameters: GT1 }, async (built) => {
      const at = segments.length
      let depthMax = 0
      built.numbers.forEach((row, index) => {
        onObject(row, (built.offsets[index + 1] ?? built.length) - (built.offsets[index] ?? 0))
        depthMax = Math.max(depthMax, this.rows.views.depths[row] ?? 0)
      })
      const { objectCount, commitCount } = built
      const byteCount = built.length
      segments.push({ base: cuts[at] ?? 0, tip: cuts[at + 1] ?? 0, byteCount, objectCount, commitCount, depthMax })
    })
    return segments
  }
}
