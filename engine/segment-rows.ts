/**
 * The stored form of what the encoder remembers of one segment's objects, so that later segments are built without
 * building this one again. Not part of format gt1: every machine may drop it and derive it anew.
 *
 * Layout, little-endian: "GTR1", hash length (u32), object count n (u32), count e of outside bases (u32); then n names,
 * n types (u8), n name keys (u32), n depths (u8), n bases (i32: a row, -1 for none, -2 - k for outside base k), and e
 * names of outside bases. Rows are in order of discovery.
 */

import { EngineError } from './errors.ts'
import type { LineState, ObjectRows } from './line-state.ts'
import { parseObjectType } from './object.ts'

const MAGIC = 0x31525447
const HEADER_LENGTH = 16
const ROW_LENGTH_WITHOUT_NAME = 10

/** Encodes the rows of the objects `numbers`, a segment's own, in any order. */
export function encodeSegmentRows(numbers: Int32Array, rows: ObjectRows): Uint8Array {
  const { views } = rows
  const { hashLength } = views
  const sorted = numbers.slice().sort((a, b) => a - b)
  const rowOf = new Map<number, number>()
  sorted.forEach((number, row) => {
    rowOf.set(number, row)
  })
  const outside = new Map<number, number>()
  for (const number of sorted) {
    const base = views.bases[number] ?? -1
    if (base >= 0 && !rowOf.has(base) && !outside.has(base)) outside.set(base, outside.size)
  }
  const count = sorted.length
  const bytes = new Uint8Array(
    HEADER_LENGTH + count * (hashLength + ROW_LENGTH_WITHOUT_NAME) + outside.size * hashLength,
  )
  const view = new DataView(bytes.buffer)
  ;[MAGIC, hashLength, count, outside.size].forEach((value, index) => {
    view.setUint32(index * 4, value, true)
  })
  const at = sectionsOf(count, hashLength)
  sorted.forEach((number, row) => {
    bytes.set(views.oids.subarray(number * hashLength, (number + 1) * hashLength), at.oids + row * hashLength)
    bytes[at.types + row] = views.types[number] ?? 0
    view.setUint32(at.names + row * 4, views.names[number] ?? 0, true)
    bytes[at.depths + row] = views.depths[number] ?? 0
    const base = views.bases[number] ?? -1
    const stored = base < 0 ? -1 : (rowOf.get(base) ?? -2 - (outside.get(base) ?? 0))
    view.setInt32(at.bases + row * 4, stored, true)
  })
  for (const [number, index] of outside) {
    bytes.set(views.oids.subarray(number * hashLength, (number + 1) * hashLength), at.outside + index * hashLength)
  }
  return bytes
}

/** The names in some rows: of the segment's objects, and of older objects that are delta bases of theirs, one after the other. */
export interface RowNames {
  readonly hashLength: number
  readonly oids: Uint8Array
  readonly outsideBases: Uint8Array
}

/** Reads the names alone, as views of `bytes`. @throws table-malformed */
export function readRowNames(bytes: Uint8Array): RowNames {
  const { hashLength, at } = layOutRows(bytes)
  return { hashLength, oids: bytes.subarray(at.oids, at.types), outsideBases: bytes.subarray(at.outside) }
}

/**
 * Adds a stored segment to a line that stands at the segment's base, and closes it there.
 * @throws table-malformed, object-type; the line is then as it was
 */
export function loadSegmentRows(bytes: Uint8Array, line: LineState): void {
  const { view, hashLength, count, outsideCount, at } = layOutRows(bytes)
  if (hashLength !== line.rows.views.hashLength) throw malformed(`names of ${line.rows.views.hashLength} bytes`)
  const outside = findOutside(bytes, at.outside, outsideCount, line)
  checkForest(bytes, view, at, count, outside, line)
  const first = line.addRows({
    count,
    oids: bytes.subarray(at.oids, at.types),
    types: bytes.subarray(at.types, at.names),
    depths: bytes.subarray(at.depths, at.bases),
    nameAt: (row) => view.getUint32(at.names + row * 4, true),
  })
  const { bases } = line.rows.views
  for (let row = 0; row < count; row++) {
    const stored = view.getInt32(at.bases + row * 4, true)
    if (stored === -1) bases[first + row] = -1
    else bases[first + row] = (stored >= 0 ? first + stored : outside[-2 - stored]) ?? -1
  }
  line.closeSegment()
}

function layOutRows(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < HEADER_LENGTH || view.getUint32(0, true) !== MAGIC) throw malformed('the magic GTR1')
  const hashLength = view.getUint32(4, true)
  const count = view.getUint32(8, true)
  const outsideCount = view.getUint32(12, true)
  const at = sectionsOf(count, hashLength)
  if (bytes.length !== at.outside + outsideCount * hashLength) {
    throw malformed(`${at.outside + outsideCount * hashLength} bytes`)
  }
  return { view, hashLength, count, outsideCount, at }
}

/** Numbers of the outside bases, which the older segments of the line hold. */
function findOutside(bytes: Uint8Array, offset: number, count: number, line: LineState): Int32Array {
  const { hashLength } = line.rows.views
  const numbers = new Int32Array(count)
  for (let index = 0; index < count; index++) {
    numbers[index] = line.findBytes(bytes, offset + index * hashLength)
    if ((numbers[index] ?? -1) < 0) throw malformed('bases of older segments')
  }
  return numbers
}

/** An object is one deeper than its base: then no walk from base to base goes round in circles. */
function checkForest(
  bytes: Uint8Array,
  view: DataView,
  at: ReturnType<typeof sectionsOf>,
  count: number,
  outside: Int32Array,
  line: LineState,
): void {
  const { depths } = line.rows.views
  for (let row = 0; row < count; row++) {
    parseObjectType(bytes[at.types + row] ?? 0)
    const stored = view.getInt32(at.bases + row * 4, true)
    if (stored >= count || -2 - stored >= outside.length) throw malformed('a base inside its bounds')
    const depthOfBase = stored >= 0 ? bytes[at.depths + stored] : depths[outside[-2 - stored] ?? 0]
    const expected = stored === -1 ? 0 : (depthOfBase ?? 0) + 1
    if (bytes[at.depths + row] !== expected) throw malformed('objects one deeper than their bases')
  }
}

function sectionsOf(count: number, hashLength: number) {
  const oids = HEADER_LENGTH
  const types = oids + count * hashLength
  const names = types + count
  const depths = names + count * 4
  const bases = depths + count
  return { oids, types, names, depths, bases, outside: bases + count * 4 }
}

function malformed(expected: string): EngineError {
  return new EngineError(
    'table-malformed',
    `segment rows: expected ${expected}, got something else, try to build again`,
  )
}
