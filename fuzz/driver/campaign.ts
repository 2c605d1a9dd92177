/**
 * One campaign on one target: seeds, then batches of mutants; what reaches new code joins the corpus. A finding is an
 * input that makes the target throw, takes too long, or allocates more than its length allows; each kind of finding is
 * made smaller and kept once. A hang is noticed from outside (campaign-thread.ts), through the shared cell that holds the input at work.
 */

import { setImmediate } from 'node:timers/promises'
import { type NumberSource, randomNumbers } from '../../bench/random-numbers.ts'
import { takeAllocatedLength } from './allocation.ts'
import { Coverage } from './coverage.ts'
import { mutate } from './mutate.ts'
import { loadTarget, regressionsOf, type Target } from './target.ts'

const BATCH_COUNT = 2048
/** A target that is slow gets smaller batches, so that coverage still guides it. */
const BATCH_MS_MAX = 250
const INPUT_LENGTH_MAX = 4096
const ALLOCATION_LENGTH_MAX = 2 ** 20
const ALLOCATION_PER_BYTE = 64
/** An input that takes this long, and twice more that much of the processor, is a finding: a loaded machine is none. */
const INPUT_MS_MAX = 250
const MINIMISE_EXECUTION_COUNT = 4096
const FINDING_COUNT_MAX = 20

export interface Finding {
  /** First line of the error and where it was thrown; findings of one kind share it. */
  readonly kind: string
  readonly bytes: Uint8Array
}

export interface CampaignReport {
  readonly target: string
  readonly executionCount: number
  readonly seconds: number
  readonly corpusCount: number
  /** Characters of our code that ran. */
  readonly coveredLength: number
  readonly findings: readonly Finding[]
}

export interface CampaignOptions {
  readonly target: string
  readonly seed: number
  /** Ends at whichever comes first. */
  readonly seconds: number
  readonly executionCountMax: number
  /** Where the input at work is written before it is tried: 4 bytes of count, 4 of length, the input. */
  readonly cell: SharedArrayBuffer
}

/** Runs a campaign to its end, in a thread that counts allocations. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  // Findings are told apart by the first place in the stack; deeper stacks cost more than most inputs.
  Error.stackTraceLimit = 1
  const target = await loadTarget(options.target)
  const campaign = new Campaign(options, target)
  await campaign.run()
  return campaign.report()
}

class Campaign {
  readonly #options: CampaignOptions
  readonly #target: Target
  readonly #next: NumberSource
  readonly #coverage = new Coverage()
  readonly #corpus: Uint8Array[] = []
  readonly #findings = new Map<string, Finding>()
  readonly #head: Int32Array
  readonly #input: Uint8Array
  readonly #startMs = performance.now()
  #executionCount = 0

  constructor(options: CampaignOptions, target: Target) {
    this.#options = options
    this.#target = target
    this.#next = randomNumbers(options.seed)
    this.#head = new Int32Array(options.cell, 0, 2)
    this.#input = new Uint8Array(options.cell, 8)
  }

  async run(): Promise<void> {
    const { dictionary = [], inputLengthMax = INPUT_LENGTH_MAX, seeds } = this.#target
    const words = dictionary.map((word) => Buffer.from(word, 'latin1'))
    this.#corpus.push(...regressionsOf(this.#options.target), ...seeds())
    for (const input of this.#corpus) await this.#tryAndKeep(input)
    this.#coverage.takeNew(true)
    let batchCount = 16
    while (!this.#isOver() && this.#findings.size < FINDING_COUNT_MAX) {
      const startMs = performance.now()
      const batch: Uint8Array[] = []
      const count = Math.min(batchCount, this.#options.executionCountMax - this.#executionCount)
      for (let i = 0; i < count; i++) {
        batch.push(mutate({ next: this.#next, corpus: this.#corpus, dictionary: words, inputLengthMax }))
      }
      for (const input of batch) await this.#tryAndKeep(input)
      // Lets timers and ticks of the target run, which a chain of promises alone would starve.
      await setImmediate()
      if (this.#coverage.takeNew(false) > 0) await this.#keepWhatIsNew(batch)
      batchCount = performance.now() - startMs > BATCH_MS_MAX ? Math.max(16, batchCount >> 1) : BATCH_COUNT
    }
    this.#coverage.close()
  }

  report(): CampaignReport {
    return {
      target: this.#options.target,
      executionCount: this.#executionCount,
      seconds: (performance.now() - this.#startMs) / 1000,
      corpusCount: this.#corpus.length,
      coveredLength: this.#coverage.length,
      findings: [...this.#findings.values()],
    }
  }

  #isOver(): boolean {
    const { seconds, executionCountMax } = this.#options
    return this.#executionCount >= executionCountMax || performance.now() - this.#startMs > seconds * 1000
  }

  /** Finds the inputs of a batch that reached new code, by halves. */
  async #keepWhatIsNew(batch: readonly Uint8Array[]): Promise<void> {
    for (const input of batch) await this.#verdictOf(input)
    if (this.#coverage.takeNew(batch.length === 1) === 0) return
    if (batch.length === 1) {
      this.#corpus.push(...batch)
      return
    }
    const middle = batch.length >> 1
    await this.#keepWhatIsNew(batch.slice(0, middle))
    await this.#keepWhatIsNew(batch.slice(middle))
  }

  async #tryAndKeep(input: Uint8Array): Promise<void> {
    const kind = await this.#verdictOf(input)
    if (kind === null || this.#findings.has(kind)) return
    this.#findings.set(kind, { kind, bytes: input })
    this.#findings.set(kind, { kind, bytes: await this.#minimise(input, kind) })
  }

  /** Tries one input; null when all is well. */
  async #verdictOf(input: Uint8Array): Promise<string | null> {
    this.#input.set(input)
    this.#head[1] = input.length
    this.#head[0] = ++this.#executionCount
    const { allocationLengthMax = ALLOCATION_LENGTH_MAX } = this.#target
    const copy = input.slice()
    takeAllocatedLength()
    const startMs = performance.now()
    try {
      const pending = this.#target.fuzz(copy)
      if (pending !== undefined) await pending
    } catch (error) {
      return kindOf(error)
    }
    const tookMs = performance.now() - startMs
    if (takeAllocatedLength() > allocationLengthMax + ALLOCATION_PER_BYTE * input.length) return 'allocates too much'
    return tookMs > INPUT_MS_MAX && (await this.#isSlow(input)) ? 'takes too long' : null
  }

  async #isSlow(input: Uint8Array): Promise<boolean> {
    for (let round = 0; round < 2; round++) {
      const before = process.cpuUsage()
      await this.#target.fuzz(input.slice())
      const { user, system } = process.cpuUsage(before)
      if ((user + system) / 1000 <= INPUT_MS_MAX) return false
    }
    return true
  }

  /** Takes ranges out, ever shorter ones, as long as the finding stays of its kind. */
  async #minimise(input: Uint8Array, kind: string): Promise<Uint8Array> {
    let best = Buffer.from(input)
    let left = MINIMISE_EXECUTION_COUNT
    for (let length = best.length >> 1; length > 0; length >>= 1) {
      for (let at = 0; at < best.length && left > 0; left--) {
        const shorter = Buffer.concat([best.subarray(0, at), best.subarray(at + length)])
        if ((await this.#verdictOf(shorter)) === kind) best = shorter
        else at += length
      }
    }
    return best
  }
}

/** The message without its figures, and the first place in the stack. */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return `threw ${typeof error}`
  const [place = ''] = (error.stack ?? '').split('\n').filter((line) => line.trimStart().startsWith('at '))
  const message = error.message.split('\n')[0] ?? ''
  return `${error.name}: ${message.slice(0, 120).replaceAll(/\d+/g, 'N')} ${place.trim().replace(/^.*\/dist\//, '')}`
}
