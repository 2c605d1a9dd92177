/**
 * Every bound of the engine on what a stranger can push against: one constant each, with unit and reason.
 * A limit may make the engine fail with EngineError 'pack-limit', never choose differently.
 * Parameters of the format `gt1` that shape its bytes are not limits and stand beside the code that uses them.
 */

/**
 * Longest object, and longest inflated pack entry, in bytes: 2 GiB - 1. Lengths stay exact in 32-bit arithmetic and fit
 * one Uint8Array on every engine; forges refuse single files far below it.
 */
export const PACK_OBJECT_LENGTH_MAX = 2 ** 31 - 1

/** Most entries in one pack, a count: 2^27, ten times the largest public history known to us (about 12 million objects). */
export const PACK_ENTRY_COUNT_MAX = 2 ** 27

/**
 * Most bytes that the entries of one pack may declare for inflating, deltas counted as deltas: 64 GiB, ten times what the
 * largest public history needs. Stops a small pack of highly compressible entries from keeping a machine busy.
 */
export const PACK_INFLATED_LENGTH_MAX = 2 ** 36

/**
 * Most bytes of all objects of one pack after deltas are applied: 1 TiB, ten times the largest public history. A delta of
 * a few bytes can declare a result of gigabytes; whoever indexes the pack has to build and hash every one of them.
 */
export const PACK_OBJECTS_LENGTH_MAX = 2 ** 40

/** Bytes that the pack reader asks of its source at least: 1 MiB, so that small entries do not cost a read each. */
export const PACK_READ_LENGTH = 2 ** 20

/**
 * Longest payload that a torrent of the format may describe, in bytes: 1 TiB. Keeps the piece hashes of one link below
 * 6 MB at the largest piece length.
 */
export const TORRENT_PAYLOAD_LENGTH_MAX = 2 ** 40

/**
 * Bytes of rebuilt commits and trees that the reading of a history keeps for the deltas of them: 32 MiB, ten segments of a large
 * history. The longest commit or tree may have 3/16 of it, 6 MiB, a folder of 150,000 files.
 */
export const OBJECT_RING_LENGTH = 2 ** 25

/**
 * Most bytes that the reading of a history may rebuild again because the ring has moved on: 8 GiB, some seconds. A real history
 * needs some hundred MiB; a pack made for it could ask for any amount.
 */
export const REBUILT_AGAIN_LENGTH_MAX = 2 ** 33

/**
 * Most names in a row of a hash table with room for twice as many, a count: names that are hashes stay below a hundred, names
 * that a stranger has invented could all be alike.
 */
export const OID_RUN_LENGTH_MAX = 1024
