/**
 * The main line of a real repository as the simulations see it: the commits of HEAD's first-parent line by height
 * (1 = root), when each one became public, and how often its hash can be halved. N0 and G are powers of two, so this
 * one number per commit gives its level under every N0.
 */

import { execFileSync } from 'node:child_process'
import { CommitGraph, createCheckpointRule, GT1 } from '../../engine/index.ts'
import { readCommits } from '../../helper/git/commits.ts'
import { plumbingEnvironment } from '../../helper/git/environment.ts'

const OUTPUT_LENGTH_MAX = 1 << 30

export interface MainLine {
  readonly graph: CommitGraph
  /** Names by height; index 0 is the empty name, "before the root". */
  readonly oids: readonly string[]
  /** Unix seconds at which the commit of each height was public: its committer time, or a later one further down. */
  readonly times: Float64Array
  /** Level of each height under N0 = 1: the trailing zero bits of h(C), at most 40. -1 at index 0. */
  readonly zeros: Int8Array
}

/** Reads HEAD's first-parent line and the graph below it. */
export async function readMainLine(gitDir: string): Promise<MainLine> {
  const graph = new CommitGraph('sha1')
  const git = ['--git-dir', gitDir, '-c', 'advice.graftFileDeprecated=false']
  const args = [...git, 'log', '--first-parent', '--reverse', '--no-show-signature', '--format=%H %ct']
  const listed = execFileSync('git', [...args, 'HEAD'], { env: plumbingEnvironment(), maxBuffer: OUTPUT_LENGTH_MAX })
  const rows = listed.toString('latin1').trimEnd().split('\n')
  const oids = ['', ...rows.map((row) => row.slice(0, 40))]
  await readCommits(gitDir, [oids[oids.length - 1] ?? ''], graph)
  const levelOf = await createCheckpointRule({ ...GT1, checkpointModulus: 1 })
  const zeros = Int8Array.from(oids, (oid) => (oid === '' ? -1 : (levelOf(oid) ?? -1)))
  return { graph, oids, times: arrivalTimes(rows.map((row) => Number(row.slice(41)))), zeros }
}

/**
 * When each height was public: nothing arrives before what is below it, nor after the newest commit's own date (a clock
 * that ran ahead would otherwise hide everything above it). Index 0 is -Infinity.
 */
export function arrivalTimes(committed: readonly number[]): Float64Array {
  const times = new Float64Array(committed.length + 1)
  const end = committed[committed.length - 1] ?? 0
  times[0] = Number.NEGATIVE_INFINITY
  for (let height = 1; height < times.length; height++) {
    times[height] = Math.max(times[height - 1] ?? 0, Math.min(committed[height - 1] ?? 0, end))
  }
  return times
}

/** Height of the newest commit that is public at `time`; 0 when there is none yet. O(log n). */
export function heightAt(times: Float64Array, time: number): number {
  let low = 0
  let high = times.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((times[middle] ?? 0) <= time) low = middle
    else high = middle - 1
  }
  return low
}

/** Of every height, the newest height at or below it whose hash has at least `zeroCount` trailing zero bits; 0 is none. */
export function newestCut(zeros: Int8Array, zeroCount: number): Int32Array {
  const cuts = new Int32Array(zeros.length)
  for (let height = 1; height < zeros.length; height++) {
    cuts[height] = (zeros[height] ?? -1) >= zeroCount ? height : (cuts[height - 1] ?? 0)
  }
  return cuts
}
