/**
 * The remote helper as a process: its ends, its signals and its exit. git waits for us when it is interrupted itself, so
 * a signal first ends the children, then us, within a second.
 */
import { fstatSync, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { constants } from 'node:os'
import type { Writable } from 'node:stream'
import { INTERRUPT_GRACE_MS } from '../limits.ts'
import { runRemoteHelper } from './run.ts'
import type { OpenSupply } from './supply.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Serves git on stdin and stdout, then exits the process with the status that git expects. */
export async function serveGit(openSupply: OpenSupply): Promise<never> {
  const interruption = new AbortController()
  let interruptedStatus: number | null = null
  for (const name of SIGNALS) {
    process.once(name, () => {
      interruptedStatus = 128 + constants.signals[name]
      interruption.abort()
      setTimeout(() => process.exit(interruptedStatus ?? 128), INTERRUPT_GRACE_MS)
    })
  }
  const status = await runRemoteHelper({
    args: process.argv.slice(2),
    env: process.env,
    input: process.stdin,
    output: openOutput(),
    printText,
    openSupply,
    signal: interruption.signal,
  })
  process.exit(interruptedStatus ?? status)
}

/** A pipe is written without blocking: a blocked write would not hear the signal by which git asks us to end. */
function openOutput(): Writable {
  const kind = fstatSync(1)
  return kind.isFIFO() || kind.isSocket() ? new Socket({ fd: 1, readable: false, writable: true }) : process.stdout
}

function printText(text: string): void {
  try {
    writeSync(2, text)
  } catch {
    // Nobody reads stderr any more.
  }
}
