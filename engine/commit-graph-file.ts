/**
 * git's commit-graph files (gitformat-commit-graph(5), version 1): reads one file, or the layers of a split graph, and
 * writes one. Only what a history needs is read: OIDF, OIDL, CDAT, EDGE, BASE. Strict: a file that is odd anywhere in
 * these is refused, and the caller asks git instead.
 * Left out: generation numbers, dates and changed paths (written as zero), and the checksum at the end, which the caller
 * compares and appends.
 */

import { concatBytes } from './bytes.ts'
import type { CommitGraph } from './commit-graph.ts'
import { COMMIT_TAIL_LENGTH, CommitTable, compareNames, HIGH_BIT, NO_PARENT } from './commit-table.ts'
import { EngineError } from './errors.ts'
import { hashLengthOf, type ObjectFormat } from './oid.ts'

const SIGNATURE = 0x43475048
const VERSION = 1
const HEADER_LENGTH = 8
const LOOKUP_LENGTH = 12
const FAN_LENGTH = 256 * 4
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
 * @param layers whole files, the base first; a graph in one file is a single layer. Only read; the table may hold on to
 * a single one
 * @throws table-malformed
 */
export function parseCommitGraph(layers: readonly Uint8Array[], format: ObjectFormat): CommitTable {
  const hashLength = hashLengthOf(format)
  const parsed = layers.map((bytes, index) => parseLayer(bytes, layers.slice(0, index), format))
  const rowLength = hashLength + COMMIT_TAIL_LENGTH
  const oids = joined(
    parsed.map(({ bytes, names, count }) => bytes.subarray(names.start, names.start + count * hashLength)),
  )
  const rows = joined(
    parsed.map(({ bytes, commits, count }) => bytes.subarray(commits.start, commits.start + count * rowLength)),
  )
  const edges = joined(
    parsed.map(({ bytes, edges: { start, end } }) => bytes.subarray(start, end - ((end - start) % 4))),
  )
  const edgeView = new DataView(edges.buffer, edges.byteOffset, edges.byteLength)
  const runEnds: number[] = []
  let edgesBefore = 0
  let first = 0
  for (const {
    count,
    edges: { start, end },
  } of parsed) {
    const edgeCount = Math.floor((end - start) / 4)
    const view = new DataView(rows.buffer, rows.byteOffset + first * rowLength, count * rowLength)
    checkParents(
      view,
      hashLength,
      new DataView(edges.buffer, edges.byteOffset + edgesBefore * 4, edgeCount * 4),
      first + count,
      edgesBefore,
    )
    edgesBefore += edgeCount
    first += count
    runEnds.push(first)
  }
  return new CommitTable(hashLength, oids, rows, edgeView, runEnds)
}

/** Checks that all parents of a layer's rows are below `limit`; edges are counted on from those of the layers below. */
function checkParents(rows: DataView, hashLength: number, edges: DataView, limit: number, edgesBefore: number): void {
  for (let at = hashLength; at < rows.byteLength; at += hashLength + COMMIT_TAIL_LENGTH) {
    const one = rows.getUint32(at)
    const two = rows.getUint32(at + 4)
    if (one >= limit && (one !== NO_PARENT || two !== NO_PARENT)) throw malformed('parents inside the graph')
    if (two < limit || two === NO_PARENT) continue
    if (two < HIGH_BIT) throw malformed('parents inside the graph')
    for (let edge = two - HIGH_BIT; ; edge++) {
      if ((edge + 1) * 4 > edges.byteLength) throw malformed('edges inside their chunk')
      const value = edges.getUint32(edge * 4)
      if (value % HIGH_BIT >= limit) throw malformed('parents inside the graph')
      if (value >= HIGH_BIT) break
    }
    if (edgesBefore > 0) rows.setUint32(at + 4, two + edgesBefore)
  }
}

/** The only part as it is, several one after the other. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts
  if (only !== undefined && parts.length === 1) return new Uint8Array(only.buffer, only.byteOffset, only.length)
  return concatBytes(parts)
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
    const at = names.start + index * hashLength
    if (compareNames(bytes, at - hashLength, bytes, at, hashLength) >= 0) throw malformed('names in ascending order')
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

/** A file of all commits of a graph but for the checksum at its end. @throws object-missing where a parent is absent */
export function encodeCommitGraph(graph: CommitGraph): Uint8Array {
  const { hashLength, count } = graph
  const order = numbersByName(graph)
  const places = new Int32Array(count)
  order.forEach((number, place) => {
    places[number] = place
  })
  const fan = new Uint8Array(FAN_LENGTH)
  const names = new Uint8Array(count * hashLength)
  const rows = new Uint8Array(count * (hashLength + COMMIT_TAIL_LENGTH))
  const rowView = new DataView(rows.buffer)
  const edges: number[] = []
  const counts = new Uint32Array(256)
  order.forEach((number, place) => {
    const name = graph.nameOf(number)
    names.set(name, place * hashLength)
    counts[name[0] ?? 0] = (counts[name[0] ?? 0] ?? 0) + 1
    const at = place * (hashLength + COMMIT_TAIL_LENGTH)
    rows.set(graph.treeNameOf(number), at)
    const parentCount = graph.parentCountOf(number)
    const parentAt = (index: number): number => places[graph.parentOf(number, index)] ?? 0
    rowView.setUint32(at + hashLength, parentCount > 0 ? parentAt(0) : NO_PARENT)
    if (parentCount > 2) rowView.setUint32(at + hashLength + 4, HIGH_BIT + edges.length)
    else rowView.setUint32(at + hashLength + 4, parentCount > 1 ? parentAt(1) : NO_PARENT)
    for (let index = 1; parentCount > 2 && index < parentCount; index++) {
      edges.push(parentAt(index) + (index === parentCount - 1 ? HIGH_BIT : 0))
    }
  })
  const fanView = new DataView(fan.buffer)
  let below = 0
  counts.forEach((ofByte, byte) => {
    below += ofByte
    fanView.setUint32(byte * 4, below)
  })
  const edgeView = new DataView(new ArrayBuffer(edges.length * 4))
  edges.forEach((edge, index) => {
    edgeView.setUint32(index * 4, edge)
  })
  return joinChunks(graph.format, [
    ['OIDF', fan],
    ['OIDL', names],
    ['CDAT', rows],
    ['EDGE', new Uint8Array(edgeView.buffer)],
  ])
}

/** Numbers of a graph's commits in ascending order of their names: by their first two bytes, then inside each lot. */
function numbersByName(graph: CommitGraph): Int32Array {
  const { count, hashLength } = graph
  const lotOf = (number: number): number => {
    const name = graph.nameOf(number)
    return (name[0] ?? 0) * 256 + (name[1] ?? 0)
  }
  const ends = new Int32Array(65_537)
  for (let number = 0; number < count; number++) {
    const lot = lotOf(number)
    ends[lot + 1] = (ends[lot + 1] ?? 0) + 1
  }
  for (let lot = 0; lot < 65_536; lot++) ends[lot + 1] = (ends[lot + 1] ?? 0) + (ends[lot] ?? 0)
  const filled = ends.slice()
  const order = new Int32Array(count)
  for (let number = 0; number < count; number++) {
    const lot = lotOf(number)
    const at = filled[lot] ?? 0
    filled[lot] = at + 1
    order[at] = number
  }
  for (let lot = 0; lot < 65_536; lot++) {
    order
      .subarray(ends[lot], ends[lot + 1])
      .sort((a, b) => compareNames(graph.nameOf(a), 0, graph.nameOf(b), 0, hashLength))
  }
  return order
}

function joinChunks(format: ObjectFormat, chunks: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const headLength = HEADER_LENGTH + (chunks.length + 1) * LOOKUP_LENGTH
  const bytes = new Uint8Array(chunks.reduce((sum, [, chunk]) => sum + chunk.length, headLength))
  const view = new DataView(bytes.buffer)
  view.setUint32(0, SIGNATURE)
  bytes.set([VERSION, format === 'sha1' ? 1 : 2, chunks.length, 0], 4)
  let offset = headLength
  const closing: readonly [string, Uint8Array] = ['\0\0\0\0', new Uint8Array(0)]
  ;[...chunks, closing].forEach(([name, chunk], entry) => {
    const at = HEADER_LENGTH + entry * LOOKUP_LENGTH
    for (let i = 0; i < name.length; i++) bytes[at + i] = name.charCodeAt(i)
    view.setUint32(at + 4, Math.floor(offset / 2 ** 32))
    view.setUint32(at + 8, offset % 2 ** 32)
    bytes.set(chunk, offset)
    offset += chunk.length
  })
  return bytes
}

function malformed(expected: string): EngineError {
  return new EngineError(
    'table-malformed',
    `commit-graph: expected ${expected}, got something else, try git's own reading`,
  )
}
