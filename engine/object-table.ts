/**
 * What the encoder remembers of every object of a line: name, type, name key, and, once placed, depth and delta base.
 * Flat arrays on growable shared memory, indexed by object number, so that workers read older objects without copying
 * and see rows that are added later. A worker writes only the rows of its own shard, which no other worker reads.
 */

/** Rows that a table can grow to; address space is reserved, memory is not. */
const ROW_COUNT_MAX = 1 << 26

export interface TableBuffers {
  readonly hashLength: number
  readonly oids: SharedArrayBuffer
  readonly types: SharedArrayBuffer
  readonly names: SharedArrayBuffer
  readonly depths: SharedArrayBuffer
  readonly bases: SharedArrayBuffer
}

/** Typed views on the rows that a table had when the views were made. */
export interface TableViews {
  readonly hashLength: number
  readonly oids: Uint8Array
  readonly types: Uint8Array
  readonly names: Uint32Array
  /** Valid once the object is placed. */
  readonly depths: Uint8Array
  /** Number of the delta base; -1 when stored whole. Valid once the object is placed. */
  readonly bases: Int32Array
}

/** Views on all rows; with `rowCount`, grows the table to that many rows first. */
export function viewTable(buffers: TableBuffers, rowCount = buffers.types.byteLength): TableViews {
  if (rowCount > buffers.types.byteLength) {
    buffers.oids.grow(rowCount * buffers.hashLength)
    buffers.types.grow(rowCount)
    buffers.names.grow(rowCount * 4)
    buffers.depths.grow(rowCount)
    buffers.bases.grow(rowCount * 4)
  }
  return {
    hashLength: buffers.hashLength,
    oids: new Uint8Array(buffers.oids, 0, rowCount * buffers.hashLength),
    types: new Uint8Array(buffers.types, 0, rowCount),
    names: new Uint32Array(buffers.names, 0, rowCount),
    depths: new Uint8Array(buffers.depths, 0, rowCount),
    bases: new Int32Array(buffers.bases, 0, rowCount),
  }
}

/** An empty table with room for `rowCount` objects. */
export function allocateTable(hashLength: number, rowCount: number): TableBuffers {
  const allocate = (width: number): SharedArrayBuffer =>
    new SharedArrayBuffer(rowCount * width, { maxByteLength: ROW_COUNT_MAX * width })
  return {
    hashLength,
    oids: allocate(hashLength),
    types: allocate(1),
    names: allocate(4),
    depths: allocate(1),
    bases: allocate(4),
  }
}
