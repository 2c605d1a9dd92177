/**
 * The executable that git starts for gittorrent URLs. Wiring only: ends of the process, signals, and the supply, which is
 * loaded when the first fetch needs it.
 */
import { fstatSync, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { constants } from 'node:os'
import { INTERRUPT_GRACE_MS } from '../limits.ts'
import { runRemoteHelper } from '../remote/run.ts'
import { NULL_SUPPLY } from '../remote/supply.ts'

const interruption = new AbortController()

/** A pipe is written without blocking: a blocked write would not hear the signal by which git asks us to end. */
function openOutput() {
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

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(name, () => {
    interruption.abort()
    setTimeout(() => process.exit(128 + constants.signals[name]), INTERRUPT_GRACE_MS)
  })
}

const status = await runRemoteHelper({
  args: process.argv.slice(2),
  env: process.env,
  input: process.stdin,
  output: openOutput(),
  printText,
  openSupply: async () => NULL_SUPPLY,
  signal: interruption.signal,
})
process.exit(status)
