/**
 * Bounds of keys and their passphrases. Each with unit and reason;
 * names as in ../limits.ts.
 */

/** Cost parameter of scrypt that an imported key may ask for: a second or two of work. */
export const SCRYPT_COST_MAX = 1024 * 1024

/** Bytes of memory that opening a sealed key may take. */
export const SCRYPT_MEMORY_BYTES_MAX = 256 * 1024 * 1024

/** Characters of a key file; a sealed one has 400. */
export const SECRET_TEXT_LENGTH_MAX = 4096

/** Bytes of a passphrase that is typed, and milliseconds in which it has to come. */
export const PASSPHRASE_LENGTH_MAX = 1024
export const PASSPHRASE_TIMEOUT_MS = 10 * 60_000

/** Times that a passphrase is asked for when it was wrong. */
export const PASSPHRASE_TRY_COUNT = 3
