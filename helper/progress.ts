/**
 * Progress on stderr as git prints it: "\r" between updates, ", done." and a line feed at the end, at most a few
 * updates per second, nothing at all unless git shows progress itself (`option progress true`, which git sends when
 * stderr is a terminal and -q was not given).
 */
import { PROGRESS_PAUSE_MS } from './limits.ts'

export interface Progress {
  /** Shows `title: text`, replacing the line before it; dropped when the last one is younger than a quarter second. */
  update(title: string, text: string): void
  /** Ends the line that update() showed, with its last text. */
  done(title: string, text: string): void
  /** Prints a whole line of its own, whatever the pause. */
  line(text: string): void
}

/** Shows nothing. */
export const SILENT: Progress = { update() {}, done() {}, line() {} }

/** Returns a Progress that writes to `write`; `nowMs` is a monotonic clock in milliseconds. */
export function openProgress(write: (text: string) => void, nowMs: () => number = () => performance.now()): Progress {
  let shownLength = 0
  let shownAtMs = Number.NEGATIVE_INFINITY
  const show = (text: string, end: string) => {
    write(`${text.padEnd(shownLength)}${end}`)
    shownLength = end === '\r' ? text.length : 0
  }
  return {
    update(title, text) {
      if (nowMs() - shownAtMs < PROGRESS_PAUSE_MS) return
      shownAtMs = nowMs()
      show(`${title}: ${text}`, '\r')
    },
    done(title, text) {
      shownAtMs = Number.NEGATIVE_INFINITY
      show(`${title}: ${text}, done.`, '\n')
    },
    line(text) {
      if (shownLength > 0) show('', '\r')
      show(text, '\n')
    },
  }
}

/** Returns a size as git prints it: "512 bytes", "1.50 KiB", "113.20 MiB". */
export function humanBytes(lengthBytes: number): string {
  if (lengthBytes < 1024) return `${lengthBytes} bytes`
  const units = ['KiB', 'MiB', 'GiB', 'TiB']
  const step = Math.min(Math.floor(Math.log2(lengthBytes) / 10), units.length) - 1
  return `${(lengthBytes / 1024 ** (step + 1)).toFixed(2)} ${units[step]}`
}

/** How many there are of something, e.g. "1 peer", "2 repositories". */
export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}

/** Returns the closing line, e.g. "97.3 % of 113.20 MiB from 3 peers"; null when nothing came from elsewhere than the origin. */
export function shareLine(
  bytesFromPeers: number,
  bytesFromOrigin: number | null,
  peerCount: number,
  bytesFromWebSeeds = 0,
): string | null {
  const shared = bytesFromPeers + bytesFromWebSeeds
  if (shared === 0) return null
  const peers = bytesFromPeers === 0 ? [] : [countOf(peerCount, 'peer')]
  const sources = [...peers, ...(bytesFromWebSeeds === 0 ? [] : ['web seeds'])].join(' and ')
  if (bytesFromOrigin === null) return `${humanBytes(shared)} from ${sources}, the rest from the origin`
  const total = shared + bytesFromOrigin
  const tenths = Math.floor((shared * 1000) / total)
  return `${Math.floor(tenths / 10)}.${tenths % 10} % of ${humanBytes(total)} from ${sources}`
}
