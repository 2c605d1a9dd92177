/**
 * What strangers can push against in the tunnel (kind `tip`), at both of its ends, with unit and reason. PUBLISHING.md says what
 * happens there; all other bounds of this room are in ../limits.ts.
 */

/** Bytes of one question to the tunnel, and wants and haves in it: within the 256 KiB of a payload at 64 digits each. */
export const TIP_REQUEST_LENGTH_MAX = 256 * 1024
export const TIP_WANT_COUNT_MAX = 1_500
export const TIP_HAVE_COUNT_MAX = 1_000

/** Bytes that one answer of the tunnel may have, and how long making it may take. */
export const TIP_ANSWER_LENGTH_MAX = 8 * 1024 * 1024 * 1024
export const TIP_SERVE_TIMEOUT_MS = 30 * 60_000

/** Answers of the tunnel that are made at once, in all and for one peer: each is a `git upload-pack` with its memory. */
export const TIP_PARALLEL_COUNT = 4
export const TIP_PER_PEER_COUNT = 2

/** A tunnel that brings nothing for this long is left; counting objects of a large repository takes some seconds. */
export const TIP_STALL_TIMEOUT_MS = 30_000

/** A tunnel that brings less than so many bytes in so many milliseconds has the next peer asked beside it. */
export const TIP_ALIVE_LENGTH = 32 * 1024
export const TIP_PATIENCE_MS = 3_000

/** How often, and after how many milliseconds, a peer that is busy is asked again. */
export const TIP_BUSY_COUNT_MAX = 20
export const TIP_BUSY_PAUSE_MS = 1_000

/**
 * An asker who has let the tunnel wait for so many milliseconds, and took, beyond the first bytes that go without credit, less
 * than so many in each second of them, makes room for the next one when all places are taken.
 */
export const TIP_READER_WAIT_MS_MAX = 3_000
export const TIP_READER_FREE_LENGTH = 1024 * 1024
export const TIP_READER_RATE_MIN = 32 * 1024

/** Questions to the tunnel for one fetch; each carries what it has of wants. */
export const TIP_ROUND_COUNT_MAX = 1_000
