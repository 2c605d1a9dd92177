/**
 * Bounds of looking up names: DNS, web servers, the chain. Each with unit and reason;
 * names as in ../limits.ts.
 */

/** Milliseconds for one DNS server to answer; resolvers retry within a second or two. */
export const DNS_TIMEOUT_MS = 3_000

/** Bytes of a DNS answer over TCP. */
export const DNS_ANSWER_LENGTH_MAX = 65_535

/** Bytes and milliseconds of a well-known document: a line per key. */
export const WELL_KNOWN_LENGTH_MAX = 16 * 1024
export const WELL_KNOWN_TIMEOUT_MS = 5_000

/** Bytes of one answer of a Bitcoin node: a block of 4 MB in hexadecimal, twice. */
export const BITCOIN_ANSWER_LENGTH_MAX = 16 * 1024 * 1024

/** Milliseconds for one answer of a Bitcoin node, which may read a block from a slow disk. */
export const BITCOIN_RPC_TIMEOUT_MS = 60_000

/** Blocks between two writes of the scanner's state. */
export const BITCOIN_SAVE_BLOCK_COUNT = 500

/** Blocks that a reorganisation may take back; the longest ever on the main chain had 53. */
export const REORGANISATION_BLOCK_COUNT_MAX = 2_016

/** Blocks on top of a claim, its own included, before a name is believed. */
export const CONFIRMATION_COUNT_MIN = 6
