/**
 * Asks whether a pack that arrives holds the whole history of one commit and nothing else, in a thread of its own. It reads along
 * with git, whose `index-pack` has one thread while a pack arrives, and has little left to do when the index is there. Git's
 * `--check-self-contained-and-connected` answers half of that at twice the cost, after everything else. A pack with more than the
 * history is valid but not canonical: somebody padded it. What lines add to something that is there is added-check.ts's matter.
 */

import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'
import { EXACT_OBJECT_COUNT_MAX, EXACT_OBJECT_COUNT_MIN } from '../../limits.ts'
import type { ExactAnswer, ExactNews, ExactTask } from './exact-worker.ts'

/** For the reason given in build/pool.ts: a thread may be ended while it works. */
setFlagsFromString('--no-concurrent-recompilation')

/** What a thread makes is gone with the next object: a larger young generation is filled with nothing but garbage. */
const YOUNG_MIB = 4

/** Whether it pays for a history of so many objects; of others git lists them all once they are indexed. */
export function isReadAlong(objectCount: number): boolean {
  return objectCount >= EXACT_OBJECT_COUNT_MIN && objectCount <= EXACT_OBJECT_COUNT_MAX
}

export class ExactCheck {
  readonly #worker: Worker
  readonly #answered: Promise<ExactAnswer>
  #arrivedLength = 0

  constructor(task: ExactTask) {
    this.#worker = new Worker(new URL('./exact-worker.js', import.meta.url), {
      workerData: task,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
    })
    this.#answered = new Promise((resolve, reject) => {
      this.#worker.on('message', resolve)
      this.#worker.on('error', reject)
      this.#worker.on('exit', () => reject(new Error('exact check: its thread ended early')))
    })
    this.#answered.catch(() => {})
  }

  /** The next `length` bytes of bodies come into this open file, which has to stay open until `close` has resolved. */
  expect(descriptor: number, offset: number, length: number): void {
    this.#tell({ type: 'part', descriptor, offset, length })
  }

  /** So many more bytes of bodies are in their file. */
  noteArrived(length: number): void {
    this.#arrivedLength += length
    this.#tell({ type: 'arrived', length: this.#arrivedLength })
  }

  /** What there is to say once git has indexed the pack as `path`.pack. @throws what reading the files threw */
  answer(path: string): Promise<ExactAnswer> {
    this.#tell({ type: 'indexed', path })
    return this.#answered
  }

  /** Ends the thread, whatever it does. */
  async close(): Promise<void> {
    await this.#worker.terminate()
  }

  #tell(news: ExactNews): void {
    this.#worker.postMessage(news)
  }
}
