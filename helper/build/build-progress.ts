/**
 * What a long build shows: share, commits, rate and remaining time, in git's manner.
 *   Building segments:  42% (34412/81966), 2650 commits/s, 18 s left
 * The rate is that of the last seconds, because the commits of a young history are smaller than those of an old one.
 */

import type { Progress } from '../progress.ts'

const TITLE = 'Building segments'
/** The time that the rate looks back on, in milliseconds. */
const WINDOW_MS = 20_000

/** Returns what a build reports to: commits done, of how many. `nowMs` is a monotonic clock in milliseconds. */
export function showBuild(
  progress: Progress,
  nowMs: () => number = () => performance.now(),
): (done: number, total: number) => void {
  let samples = [{ atMs: nowMs(), done: 0 }]
  return (done, total) => {
    const atMs = nowMs()
    const share = `${`${Math.floor((done * 100) / total)}`.padStart(3)}% (${done}/${total})`
    if (done >= total) {
      progress.done(TITLE, share)
      return
    }
    if (done < (samples.at(-1)?.done ?? 0)) samples = []
    samples = [...samples.filter((sample) => atMs - sample.atMs <= WINDOW_MS), { atMs, done }]
    const first = samples[0] ?? { atMs, done }
    const rate = atMs > first.atMs ? ((done - first.done) * 1000) / (atMs - first.atMs) : 0
    const speed = rate === 0 ? '' : `, ${Math.round(rate)} commits/s, ${humanSeconds((total - done) / rate)} left`
    progress.update(TITLE, `${share}${speed}`)
  }
}

/** A duration as people read it: "18 s", "5 min", "3 h 20 min". */
function humanSeconds(seconds: number): string {
  if (seconds < 100) return `${Math.ceil(seconds)} s`
  const minutes = Math.ceil(seconds / 60)
  return minutes < 100 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
