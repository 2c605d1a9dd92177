/**
 * A thread of the exact check: marks what the commits and trees of its share of a pack name. The first one reads the table of the
 * pack for all. Wiring only; what is marked, and why that is enough, is in engine/pack-references.ts.
 */

import { fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { type ByteSource, type PackTable, ReferenceMarks, readPackTable } from '../../../engine/index.ts'

export interface PackFiles {
  /** Path without `.pack` and `.idx`. */
  readonly path: string
  /** 20 or 32, by object format. */
  readonly hashLength: number
}

/** What all threads of one check share; its arrays are in shared memory. */
export interface SharedTable {
  readonly table: PackTable
  readonly named: Uint8Array
}

export interface ExactTask extends PackFiles {
  readonly share: number
  readonly shareCount: number
  /** Null for the thread that reads it. */
  readonly shared: SharedTable | null
}

export type ExactWord =
  | { readonly type: 'table'; readonly shared: SharedTable }
  /** False: something that is named is not there. */
  | { readonly type: 'done'; readonly isGood: boolean }

/** Each reading is gone with the next. */
function sourceOfFile(path: string): ByteSource {
  const file = openSync(path, 'r')
  let buffer = new Uint8Array(64 * 1024)
  return {
    length: fstatSync(file).size,
    read: (offset, length) => {
      if (length > buffer.length) buffer = new Uint8Array(2 * length)
      for (let filled = 0; filled < length; ) {
        const count = readSync(file, buffer, filled, length - filled, offset + filled)
        if (count === 0) throw new Error(`${path}: expected ${length} bytes at ${offset}, got ${filled}`)
        filled += count
      }
      return buffer.subarray(0, length)
    },
  }
}

function share(table: PackTable): SharedTable {
  const shared = { table, named: new Uint8Array(new SharedArrayBuffer(table.count)) }
  say({ type: 'table', shared })
  return shared
}

function say(word: ExactWord): void {
  parentPort?.postMessage(word)
}

const task = workerData as ExactTask
const source = sourceOfFile(`${task.path}.pack`)
const { table, named } = task.shared ?? share(readPackTable(readFileSync(`${task.path}.idx`), source, task.hashLength))
say({ type: 'done', isGood: new ReferenceMarks(table, source, named).mark(task.share, task.shareCount) })
