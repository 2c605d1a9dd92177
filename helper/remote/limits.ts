/**
 * Bounds of what an origin names as its mirrors, and of what those may do. As in helper/limits.ts, each has its unit and its
 * reason.
 */

/** Bytes of a blob under refs/mirrors/ and of the pack that carries it: a thousand URLs. */
export const MIRROR_BLOB_LENGTH_MAX = 64 * 1024

/** Refs that are asked for at a mirror of the origin by name: each is an argument of a command. */
export const MIRROR_REF_COUNT_MAX = 256

/** Mirrors that are tried for one fetch: each that fails has made the user wait. */
export const MIRROR_REPOSITORY_COUNT_MAX = 2

/** A mirror that says nothing for this long is left. */
export const MIRROR_SILENCE_MS = 8_000

/** Milliseconds for which a list of mirrors counts without being asked for again, even if its ref still names it: 30 days. */
export const MIRROR_KEEP_MS = 30 * 24 * 3600 * 1000
