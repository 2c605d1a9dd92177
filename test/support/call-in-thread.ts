/**
 * Calls a function of a module in a thread of its own, where node:test does not follow every promise from its beginning to its
 * end: where promises are most of the work, as in a simulation, that costs a third of the time.
 */

import { once } from 'node:events'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

interface Call {
  /** URL of a compiled module. */
  readonly module: string
  readonly name: string
  readonly given: readonly unknown[]
}

/** Resolves to what the function `name` of `module` makes of `given`; both are copied. @throws what it threw */
export async function callInThread<Result>(module: URL, name: string, given: readonly unknown[]): Promise<Result> {
  const call: Call = { module: module.href, name, given }
  const worker = new Worker(new URL(import.meta.url), { workerData: call })
  const [result] = await once(worker, 'message')
  await worker.terminate()
  return result
}

if (!isMainThread && parentPort !== null) {
  const { module, name, given }: Call = workerData
  parentPort.postMessage(await (await import(module))[name](...given))
}
