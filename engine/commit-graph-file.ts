/**
 * Reads git's commit-graph files (gitformat-commit-graph(5), version 1): one file, or the layers of a split graph. Only
 * what a history needs is read: OIDF, OIDL, CDAT, EDGE, BASE. Strict: a file that is odd anywhere in these is refused,
 * and the caller asks git instead.
 * Left out: generation numbers, dates, changed paths, and the checksum at the end, which the caller has compared.
 */

import type { CommitTable } from './commit-table.ts'
import { EngineError } from './errors.ts'
import { hashLengthOf, type ObjectFormat } from './oid.ts'

const SIGNATURE = 0x43475048
const VERSION = 1
const HEADER_LENGTH = 8
const LOOKUP_LENGTH = 12
const FAN_LENGTH = 256 * 4
/** After the tree's name: two parents, then generation and date. */
const COMMIT_TAIL_LENGTH = 16
const NO_PARENT = 0x70000000
const HIGH_BIT = 0x80000000

interface Chunk {
  readonly start: number
  readonly end: number
}

interface Layer {
  readonly view: DataView
  readonly bytes: Uint8Array
  readonly count: number
  readonly names: Chunk
  readonly commits: Chunk
  readonly edges: Chunk
}

/**
 * The commits of a graph.
 * @param layers whole files, the base first; a graph in one file is a single layer. Only read
 * @throws table-malformed
 */
export function parseCommitGraph(layers: readonly Uint8Array[], format: ObjectFormat): CommitTable {
  const hashLength = hashLengthOf(format)
  const parsed = layers.map((bytes, index) => parseLayer(bytes, layers.slice(0, index), format))
  const count = parsed.reduce((sum, layer) => sum + layer.count, 0)
  const oids = new Uint8Array(count * hashLength)
  const trees = new Uint8Array(count * hashLength)
  const parentEnds = new Int32Array(count)
  const parents: number[] = []
  let first = 0
  for (const layer of parsed) {
    oids.set(layer.bytes.subarray(layer.names.start, layer.names.start + layer.count * hashLength), first * hashLength)
    for (let index = 0; index < layer.count; index++) {
      const at = layer.commits.start + index * (hashLength + COMMIT_TAIL_LENGTH)
      trees.set(layer.bytes.subarray(at, at + hashLength), (first + index) * hashLength)
      readParents(layer, at + hashLength, first + layer.count, parents)
      parentEnds[first + index] = parents.length
    }
    first += layer.count
  }
  return { hashLength, count, oids, trees, parentEnds, parents: Int32Array.from(parents) }
}

/** Appends the parents noted at `at`; all are below `limit`. */
function readParents({ view, edges }: Layer, at: number, limit: number, parents: number[]): void {
  const take = (position: number): void => {
    if (position >= limit) throw malformed('parents inside the graph')
    parents.push(position)
  }
  const one = view.getUint32(at)
  const two = view.getUint32(at + 4)
  if (one === NO_PARENT && two === NO_PARENT) return
  take(one)
  if (two === NO_PARENT) return
  if (two < HIGH_BIT) {
    take(two)
    return
  }
  for (let edge = edges.start + (two - HIGH_BIT) * 4; ; edge += 4) {
    if (edge + 4 > edges.end) throw malformed('edges inside their chunk')
    const value = view.getUint32(edge)
    take(value % HIGH_BIT)
    if (value >= HIGH_BIT) return
  }
}

function parseLayer(bytes: Uint8Array, below: readonly Uint8Array[], format: ObjectFormat): Layer {
  const hashLength = hashLengthOf(format)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = bytes.length - hashLength
  if (end < HEADER_LENGTH + LOOKUP_LENGTH || view.getUint32(0) !== SIGNATURE) throw malformed('the signature CGPH')
  if (view.getUint8(4) !== VERSION) throw malformed('version 1')
  if (view.getUint8(5) !== (format === 'sha1' ? 1 : 2)) throw malformed(`names of ${format}`)
  if (view.getUint8(7) !== below.length) throw malformed(`${below.length} layers below`)
  const chunks = readChunks(view, view.getUint8(6), end)
  const fan = requireChunk(chunks, 'OIDF', FAN_LENGTH)
  const count = view.getUint32(fan.start + FAN_LENGTH - 4)
  const names = requireChunk(chunks, 'OIDL', count * hashLength)
  const commits = requireChunk(chunks, 'CDAT', count * (hashLength + COMMIT_TAIL_LENGTH))
  for (let index = 1; index < count; index++) {
    if (!isBelow(bytes, names.start + (index - 1) * hashLength, hashLength)) throw malformed('names in ascending order')
  }
  if (below.length > 0)
    checkBase(bytes, requireChunk(chunks, 'BASE', below.length * hashLength).start, below, hashLength)
  return { view, bytes, count, names, commits, edges: chunks.get('EDGE') ?? { start: 0, end: 0 } }
}

/** The chunks by their four letters. Each ends where the next one starts, the last one before the checksum. */
function readChunks(view: DataView, chunkCount: number, end: number): ReadonlyMap<string, Chunk> {
  const chunks = new Map<string, Chunk>()
  const tableEnd = HEADER_LENGTH + (chunkCount + 1) * LOOKUP_LENGTH
  if (tableEnd > end) throw malformed('a whole table of chunks')
  const offsetAt = (entry: number): number => {
    const at = HEADER_LENGTH + entry * LOOKUP_LENGTH + 4
    return view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4)
  }
  for (let entry = 0; entry < chunkCount; entry++) {
    const at = HEADER_LENGTH + entry * LOOKUP_LENGTH
    const name = String.fromCharCode(...[0, 1, 2, 3].map((index) => view.getUint8(at + index)))
    const chunk = { start: offsetAt(entry), end: offsetAt(entry + 1) }
    if (chunk.start < tableEnd || chunk.end < chunk.start || chunk.end > end || chunks.has(name)) {
      throw malformed('chunks one after the other')
    }
    chunks.set(name, chunk)
  }
  return chunks
}

function requireChunk(chunks: ReadonlyMap<string, Chunk>, name: string, length: number): Chunk {
  const chunk = chunks.get(name)
  if (chunk === undefined || chunk.end - chunk.start < length) throw malformed(`a chunk ${name} of ${length} bytes`)
  return chunk
}

/** A layer names the checksums of the layers below it, which are their last bytes. */
function checkBase(bytes: Uint8Array, start: number, below: readonly Uint8Array[], hashLength: number): void {
  below.forEach((layer, index) => {
    for (let i = 0; i < hashLength; i++) {
      if (bytes[start + index * hashLength + i] !== layer[layer.length - hashLength + i]) {
        throw malformed('the layers below that the layer names')
      }
    }
  })
}

/** True if the name at `at` sorts before the one that follows it. */
function isBelow(bytes: Uint8Array, at: number, hashLength: number): boolean {
  for (let i = at; i < at + hashLength; i++) {
    const difference = (bytes[i] ?? 0) - (bytes[i + hashLength] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}

function malformed(expected: string): EngineError {
  return new EngineError(
    'table-malformed',
    `commit-graph: expected ${expected}, got something else, try git's own reading`,
  )
}
