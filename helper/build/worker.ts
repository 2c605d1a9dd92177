/**
 * The worker thread of a build: runs the engine's tasks one at a time, with its own `git cat-file`.
 * Wiring only; what a task does is in engine/work.ts.
 */

import { parentPort, workerData } from 'node:worker_threads'
import {
  type DiffTask,
  type PlacedShard,
  type PlaceTask,
  runDiffTask,
  runPlaceTask,
  type WorkTools,
} from '../../engine/index.ts'
import { CatFile } from '../git/cat-file.ts'
import { pickDeflate } from './deflate.ts'

const { gitDir, cacheLengthMax } = workerData as { gitDir: string; cacheLengthMax: number }
const catFile = new CatFile(gitDir)
const tools: WorkTools = { read: (oids) => catFile.read(oids), deflate: pickDeflate(), cacheLengthMax }

parentPort?.on('message', async ({ id, task }: { id: number; task: DiffTask | PlaceTask }) => {
  try {
    if (task.kind === 'diff') {
      parentPort?.postMessage({ id, result: await runDiffTask(task, tools) })
    } else {
      const result = await runPlaceTask(task, tools)
      parentPort?.postMessage({ id, result }, transferablesOf(result))
    }
  } catch (error) {
    parentPort?.postMessage({ id, error })
  }
})

function transferablesOf(shards: readonly PlacedShard[]): ArrayBuffer[] {
  return shards.flatMap(({ numbers, bases, depths, lengths, dataEnds, data }) =>
    [numbers, bases, depths, lengths, dataEnds, data].map((array) => array.buffer as ArrayBuffer),
  )
}
