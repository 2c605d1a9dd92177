/**
 * Starts the thread of a campaign and watches it from outside: an input at which the count of executions stands still is
 * a hang, a thread that dies is a finding with the input that it died of.
 */

import { Worker } from 'node:worker_threads'
import type { CampaignOptions, CampaignReport } from './campaign.ts'

/** Standing still for so long is a hang, in milliseconds of the processor, or on the clock for one who waits for nothing. */
const HANG_MS = 10_000
const WAIT_MS_MAX = 120_000
const LOOK_MS = 500
const HEAP_MIB_MAX = 512
const CELL_LENGTH = 2 ** 20

/** Runs one campaign. */
export async function superviseCampaign(options: Omit<CampaignOptions, 'cell'>): Promise<CampaignReport> {
  const cell = new SharedArrayBuffer(CELL_LENGTH)
  const head = new Int32Array(cell, 0, 2)
  const startMs = performance.now()
  const worker = new Worker(new URL('./worker.js', import.meta.url), {
    workerData: { ...options, cell },
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
  })
  let lastCount = 0
  let lastMs = startMs
  let lastUsage = process.cpuUsage()
  const hangs = (): boolean => {
    const { user, system } = process.cpuUsage(lastUsage)
    const isBusy = lastCount > 0 && (user + system) / 1000 > HANG_MS
    return isBusy || performance.now() - lastMs > WAIT_MS_MAX
  }
  const broken = (kind: string): CampaignReport => ({
    target: options.target,
    executionCount: head[0] ?? 0,
    seconds: (performance.now() - startMs) / 1000,
    corpusCount: 0,
    coveredLength: 0,
    findings: [{ kind, bytes: new Uint8Array(cell.slice(8, 8 + (head[1] ?? 0))) }],
  })
  const report = await new Promise<CampaignReport>((resolve) => {
    const watch = setInterval(() => {
      if (head[0] !== lastCount) {
        lastCount = head[0] ?? 0
        lastMs = performance.now()
        lastUsage = process.cpuUsage()
      } else if (hangs()) resolve(broken('hangs'))
    }, LOOK_MS)
    worker.on('message', resolve)
    worker.on('error', (error) => resolve(broken(`the thread died: ${error.message}`)))
    worker.on('exit', () => {
      clearInterval(watch)
      resolve(broken('the thread ended'))
    })
  })
  await worker.terminate()
  return report
}
