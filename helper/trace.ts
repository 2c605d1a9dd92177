/**
 * GITTORRENT_TRACE, in the manner of GIT_TRACE: unset, empty, 0 or false is off, 1, 2 or true is stderr, an absolute
 * path is a file that is appended to. One line per event, with the milliseconds since the start. Lines are written
 * synchronously, so that what happened last before a crash is in them. URLs lose their passwords.
 */
import { appendFileSync, writeSync } from 'node:fs'
import type { Environment } from './config.ts'
import { printable } from './errors.ts'

export interface Trace {
  readonly enabled: boolean
  /** Writes one line; `text` is called only when tracing is on. */
  (text: () => string): void
}

/** Opens the trace that `env` asks for; a file that cannot be written switches tracing off, as git does. */
export function openTrace(env: Environment, startMs: number = performance.now()): Trace {
  const target = env.GITTORRENT_TRACE ?? ''
  const isStderr = /^(1|2|true)$/i.test(target)
  let enabled = isStderr || target.startsWith('/')
  const trace = (text: () => string): void => {
    if (!enabled) return
    const line = `gittorrent[${process.pid}] ${(performance.now() - startMs).toFixed(1)} ms: ${clean(text())}\n`
    try {
      if (isStderr) writeSync(2, line)
      else appendFileSync(target, line)
    } catch {
      enabled = false
    }
  }
  return Object.assign(trace, { enabled })
}

function clean(text: string): string {
  return printable(withoutPassword(text))
}

/** Returns `text` with the password of every URL in it replaced by stars. */
export function withoutPassword(text: string): string {
  return text.replace(/(:\/\/[^/@:\s]*):[^/@\s]*@/g, '$1:***@')
}
