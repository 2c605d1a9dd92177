/**
 * Worker threads as the engine's work pool: a queue, idle workers, first come first served. An error of a task reaches
 * its caller; a dying worker fails every task in flight.
 */

import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'
import type { Change, DiffTask, PlacedShard, PlaceTask, SnapshotTask, WorkPool } from '../../engine/index.ts'

export type WorkTask = DiffTask | PlaceTask | SnapshotTask

interface Job {
  readonly task: WorkTask
  readonly resolve: (result: never) => void
  readonly reject: (error: unknown) => void
}

/** What a worker is started with. */
export interface WorkerSettings {
  /** Absolute path of the repository. */
  readonly gitDir: string
  /** Bytes of object contents that the worker may keep. */
  readonly cacheLengthMax: number
  /** Folder for what is too long for memory; exists. */
  readonly spillFolder: string
  /** The lock that all workers of a build share. */
  readonly heavyLock: SharedArrayBuffer
  /** What the first of them finds of the compressors. */
  readonly deflateVerdict: SharedArrayBuffer
}

/**
 * Workers optimise their functions on their own thread: a thread of Node's that does it for them may touch a worker that is
 * being taken down, and Node 20 then aborts ("Assertion failed: (data.first) != nullptr") at the end of a build. Read
 * whenever a worker's heap is made, so that it has to stay; a heap that exists keeps what it has.
 */
setFlagsFromString('--no-concurrent-recompilation')

export class ThreadPool implements WorkPool {
  readonly #workers: Worker[] = []
  readonly #idle: Worker[] = []
  readonly #queue: Job[] = []
  readonly #running = new Map<number, { job: Job; worker: Worker }>()
  #nextId = 0
  #isClosed = false

  /** Starts `threadCount` workers, each with these settings. */
  constructor(threadCount: number, settings: WorkerSettings) {
    for (let i = 0; i < threadCount; i++) {
      const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: settings })
      worker.on('message', (message: { id: number; result?: unknown; error?: unknown }) => this.#settle(message))
      worker.on('error', (error) => this.#abort(error))
      this.#workers.push(worker)
      this.#idle.push(worker)
    }
  }

  diff(task: DiffTask): Promise<Change[][]> {
    return this.#submit(task)
  }

  place(task: PlaceTask): Promise<PlacedShard[]> {
    return this.#submit(task)
  }

  snapshot(task: SnapshotTask): Promise<PlacedShard> {
    return this.#submit(task)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }

  #submit<Result>(task: WorkTask): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      this.#queue.push({ task, resolve, reject })
      this.#dispatch()
    })
  }

  #dispatch(): void {
    while (this.#queue.length > 0 && this.#idle.length > 0) {
      const worker = this.#idle.pop()
      const job = this.#queue.shift()
      if (worker === undefined || job === undefined) return
      const id = this.#nextId++
      this.#running.set(id, { job, worker })
      worker.postMessage({ id, task: job.task })
    }
  }

  #settle({ id, result, error }: { id: number; result?: unknown; error?: unknown }): void {
    const running = this.#running.get(id)
    if (running === undefined) return
    this.#running.delete(id)
    this.#idle.push(running.worker)
    if (error === undefined) running.job.resolve(result as never)
    else running.job.reject(error)
    this.#dispatch()
  }

  #abort(error: unknown): void {
    if (this.#isClosed) return
    for (const { job } of this.#running.values()) job.reject(error)
    for (const job of this.#queue.splice(0)) job.reject(error)
  }
}
