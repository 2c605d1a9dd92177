/**
 * Bounds of what an origin names as its mirrors, of what those may do, and of an answer that waits. As in helper/limits.ts, each has its unit and its
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

/** Bytes of an answer that are kept until the links are checked. Of tigerbeetle with all branches it has 6 MB. */
export const ANSWER_KEPT_LENGTH_MAX = 64 * 1024 * 1024

/** An answer that stood unread for this long is asked for anew: servers end connections that nobody reads, nginx after 60 s. */
export const ORIGIN_UNREAD_MS_MAX = 20_000
