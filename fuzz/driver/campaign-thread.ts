/**
 * A thread that runs campaigns, one after the other, watched from outside: an input at which the count of executions stands
 * still is a hang, a thread that dies is a finding with the input that it died of. The next campaign gets a new thread then.
 */

import { Worker } from 'node:worker_threads'
import type { CampaignOptions, CampaignReport } from './campaign.ts'

/** Standing still for so long is a hang, in milliseconds of the processor, or on the clock for one who waits for nothing. */
const HANG_MS = 10_000
const WAIT_MS_MAX = 120_000
const LOOK_MS = 500
const HEAP_MIB_MAX = 512
const CELL_LENGTH = 2 ** 20

export class CampaignThread {
  #worker: Worker | null = null

  /**
   * Runs one campaign; one at a time. Modules stay loaded for those that follow, which most of a short campaign's time
   * goes into otherwise.
   */
  async run(options: Omit<CampaignOptions, 'cell'>): Promise<CampaignReport> {
    const cell = new SharedArrayBuffer(CELL_LENGTH)
    const head = new Int32Array(cell, 0, 2)
    const startMs = performance.now()
    this.#worker ??= startWorker()
    const outcome = await watch(this.#worker, head, { ...options, cell })
    if (typeof outcome !== 'string') return outcome
    await this.end()
    return {
      target: options.target,
      executionCount: head[0] ?? 0,
      seconds: (performance.now() - startMs) / 1000,
      corpusCount: 0,
      coveredLength: 0,
      findings: [{ kind: outcome, bytes: new Uint8Array(cell.slice(8, 8 + (head[1] ?? 0))) }],
    }
  }

  /** Ends the thread; to be called in the end. */
  async end(): Promise<void> {
    const worker = this.#worker
    this.#worker = null
    await worker?.terminate()
  }
}

function startWorker(): Worker {
  return new Worker(new URL('./worker.js', import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
  })
}

/** Resolves to what the worker reports, or to how it failed. */
async function watch(worker: Worker, head: Int32Array, options: CampaignOptions): Promise<CampaignReport | string> {
  const standstill = new Standstill(head)
  let look: NodeJS.Timeout | undefined
  try {
    return await new Promise((resolve) => {
      worker.on('message', resolve)
      worker.on('error', (error) => resolve(`the thread died: ${error.message}`))
      worker.on('exit', () => resolve('the thread ended'))
      worker.postMessage(options)
      look = setInterval(() => standstill.isHang() && resolve('hangs'), LOOK_MS)
    })
  } finally {
    clearInterval(look)
    for (const event of ['message', 'error', 'exit']) worker.removeAllListeners(event)
  }
}

/** Whether the count in the shared cell has stood still for too long. */
class Standstill {
  readonly #head: Int32Array
  #lastCount = 0
  #lastMs = performance.now()
  #lastUsage = process.cpuUsage()

  constructor(head: Int32Array) {
    this.#head = head
  }

  isHang(): boolean {
    const count = this.#head[0] ?? 0
    if (count !== this.#lastCount) {
      this.#lastCount = count
      this.#lastMs = performance.now()
      this.#lastUsage = process.cpuUsage()
      return false
    }
    const { user, system } = process.cpuUsage(this.#lastUsage)
    const isBusy = count > 0 && (user + system) / 1000 > HANG_MS
    return isBusy || performance.now() - this.#lastMs > WAIT_MS_MAX
  }
}
