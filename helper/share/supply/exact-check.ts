/**
 * Asks whether a pack that git has indexed holds the whole history of one commit and nothing else, in threads of their own. Git's
 * `--check-self-contained-and-connected` answers half of that at twice the cost, one tree at a time whatever the number of
 * threads. A pack with more than the history is valid but not canonical: somebody padded it.
 */

import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'
import { areAllNamedBut, type Oid } from '../../../engine/index.ts'
import type { ExactTask, ExactWord, PackFiles, SharedTable } from './exact-worker.ts'

/** For the reason given in build/pool.ts: a thread may be ended while it works. */
setFlagsFromString('--no-concurrent-recompilation')

/** What a thread makes is gone with the next object: a larger young generation is filled with nothing but garbage. */
const YOUNG_MIB = 4

/**
 * True if the pack holds exactly what `tip` reaches.
 * @throws what reading the pack threw
 */
export async function holdsExactly(pack: PackFiles, tip: Oid, threadCount: number): Promise<boolean> {
  const workers: Worker[] = []
  try {
    return await new Promise<boolean>((resolve, reject) => {
      let openCount = threadCount
      let shared: SharedTable | null = null
      const onTable = (task: ExactTask, table: SharedTable): void => {
        // One thread reads the table, all work with it.
        shared = table
        for (let share = 1; share < threadCount; share++) start({ ...task, share, shared: table })
      }
      const onDone = (isGood: boolean): void => {
        openCount -= 1
        if (!isGood) resolve(false)
        else if (openCount === 0) resolve(shared !== null && areAllNamedBut(tip, shared.table, shared.named))
      }
      const start = (task: ExactTask): void => {
        const worker = new Worker(new URL('./exact-worker.js', import.meta.url), {
          workerData: task,
          resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
        })
        workers.push(worker)
        let isDone = false
        worker.on('error', reject)
        worker.on('exit', () => isDone || reject(new Error('exact check: a thread ended early')))
        worker.on('message', (word: ExactWord) => {
          if (word.type === 'table') return onTable(task, word.shared)
          isDone = true
          onDone(word.isGood)
        })
      }
      start({ ...pack, share: 0, shareCount: threadCount, shared: null })
    })
  } finally {
    for (const worker of workers) void worker.terminate()
  }
}
