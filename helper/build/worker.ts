/**
 * The worker thread of a build: runs the engine's tasks one at a time, with its own `git cat-file`.
 * Wiring only; what a task does is in engine/work.ts.
 */

import { parentPort, threadId, workerData } from 'node:worker_threads'
import { type PlacedShard, runDiffTask, runPlaceTask, runSnapshotTask, type WorkTools } from '../../engine/index.ts'
import { CatFile } from '../git/cat-file.ts'
import { BUILD_HEAVY_LENGTH, BUILD_PENDING_LENGTH_MAX } from '../limits.ts'
import { pickDeflateOnce, pickDeflatePartLater } from './deflate.ts'
import { heavyGateOf } from './heavy-gate.ts'
import type { WorkerSettings, WorkTask } from './pool.ts'
import { sinkOpener } from './spill.ts'

const { gitDir, cacheLengthMax, spillFolder, heavyLock, deflateVerdict } = workerData as WorkerSettings
const catFile = new CatFile(gitDir)
const tools: WorkTools = {
  read: (oids, type) => catFile.read(oids, type),
  readContents: (oids, lengthMax, types) => catFile.readUpTo(oids, lengthMax, types),
  stream: (oid) => catFile.stream(oid),
  deflate: pickDeflateOnce(deflateVerdict),
  deflatePart: pickDeflatePartLater(),
  openSinks: sinkOpener(spillFolder, String(threadId)),
  cacheLengthMax,
  heavyLength: BUILD_HEAVY_LENGTH,
  heavyGate: heavyGateOf(heavyLock),
  pendingLengthMax: BUILD_PENDING_LENGTH_MAX,
}

parentPort?.on('message', async ({ id, task }: { id: number; task: WorkTask }) => {
  try {
    if (task.kind === 'diff') {
      parentPort?.postMessage({ id, result: await runDiffTask(task, tools) })
    } else if (task.kind === 'place') {
      const result = await runPlaceTask(task, tools)
      parentPort?.postMessage({ id, result }, transferablesOf(result))
    } else {
      const result = await runSnapshotTask(task, tools)
      parentPort?.postMessage({ id, result }, transferablesOf([result]))
    }
  } catch (error) {
    parentPort?.postMessage({ id, error })
  }
})

function transferablesOf(shards: readonly PlacedShard[]): ArrayBuffer[] {
  return shards.flatMap(({ numbers, bases, depths, lengths, dataEnds, data }) => {
    const arrays = [numbers, bases, depths, lengths, dataEnds, ...(data instanceof Uint8Array ? [data] : [])]
    return arrays.map((array) => array.buffer as ArrayBuffer)
  })
}
