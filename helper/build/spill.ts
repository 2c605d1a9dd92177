/**
 * Compressed entries that are too many for memory wait in files of the segment store's folder until their body is
 * written: a repository of large binaries would otherwise hold a whole batch of them. One folder per build; it is
 * removed with the build, or collected later when a crash left it.
 */

import { closeSync, openSync, writeSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ByteSink, HeldBytes, SpilledBytes, SpillStore } from '../../engine/index.ts'
import { MemorySink } from '../../engine/index.ts'
import { SHARD_MEMORY_LENGTH_MAX } from '../limits.ts'
import { temporaryPath } from '../store/atomic-file.ts'
import { OpenFiles } from '../store/open-files.ts'
import { readRange } from '../store/read-file.ts'

/** Files that are read at a time while bodies are put together. */
const OPEN_SPILL_COUNT_MAX = 4

/** The folder of one build, on the main thread. */
export class SpillFolder implements SpillStore {
  readonly folder: string
  readonly #files = new OpenFiles(OPEN_SPILL_COUNT_MAX)

  private constructor(folder: string) {
    this.folder = folder
  }

  /** Creates the folder under a temporary name in `parent`. */
  static async create(parent: string): Promise<SpillFolder> {
    const folder = temporaryPath(parent)
    await mkdir(folder, { recursive: true })
    return new SpillFolder(folder)
  }

  async read({ name }: SpilledBytes, from: number, to: number): Promise<Uint8Array> {
    const bytes = await this.#files.with(join(this.folder, name), (file) => readRange(file, from, to - from))
    if (bytes === null) throw new Error(`a spill file ended before byte ${to}`)
    return bytes
  }

  async release({ name }: SpilledBytes): Promise<void> {
    await rm(join(this.folder, name), { force: true })
  }

  async close(): Promise<void> {
    await this.#files.close()
    await rm(this.folder, { recursive: true, force: true })
  }
}

/** Bytes of memory that the sinks of one task may still take. */
interface MemoryBudget {
  left: number
}

/** A source of sinks per task; `prefix` keeps the file names of one worker apart from those of the others. */
export function sinkOpener(folder: string, prefix: string): () => () => ByteSink {
  let count = 0
  return () => {
    const budget = { left: SHARD_MEMORY_LENGTH_MAX }
    return () => new SpillSink(folder, `${prefix}-${count++}`, budget)
  }
}

/** Holds a shard's entries in memory while the budget lasts, from then on in a file. */
class SpillSink implements ByteSink {
  readonly #folder: string
  readonly #name: string
  readonly #budget: MemoryBudget
  #memory: MemorySink | null = new MemorySink()
  #file = -1
  #length = 0

  constructor(folder: string, name: string, budget: MemoryBudget) {
    this.#folder = folder
    this.#name = name
    this.#budget = budget
  }

  append(bytes: Uint8Array): void {
    this.#length += bytes.length
    if (this.#memory !== null && this.#length > this.#budget.left) this.#spill(this.#memory)
    if (this.#memory === null) this.#write(bytes)
    else this.#memory.append(bytes)
  }

  finish(): HeldBytes {
    if (this.#memory !== null) {
      this.#budget.left -= this.#length
      return this.#memory.finish()
    }
    closeSync(this.#file)
    return { name: this.#name, length: this.#length }
  }

  #spill(memory: MemorySink): void {
    this.#memory = null
    this.#file = openSync(join(this.#folder, this.#name), 'wx')
    this.#write(memory.finish())
  }

  #write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at)
  }
}
