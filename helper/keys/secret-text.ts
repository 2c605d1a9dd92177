/**
 * A secret key as text: what lies in a key file, what a backup on paper holds, and what an import reads.
 *
 *   gittorrent secret key 1
 *   public <64 hex>
 *   secret <64 hex>            the 32-byte seed of RFC 8032, or, behind a passphrase:
 *   sealed scrypt <N> <r> <p> <salt, 32 hex> <nonce, 24 hex> <ciphertext and tag, 96 hex>
 *
 * Sealing is AES-256-GCM under scrypt (RFC 7914) of the passphrase in UTF-8, NFC; the two lines before it are authenticated.
 * The public key tells a mistyped backup from a good one before anything is signed with it.
 */
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto'
import { ed25519PublicKey } from '../../net/index.ts'
import { HelperError } from '../errors.ts'
import { SCRYPT_COST_MAX, SCRYPT_MEMORY_BYTES_MAX, SECRET_TEXT_LENGTH_MAX } from './limits.ts'

const FIRST_LINE = 'gittorrent secret key 1'
const COST = { N: 32768, r: 8, p: 1 }
const KEY_LENGTH = 32
const TAG_LENGTH = 16

type Cost = typeof COST

export interface SecretText {
  /** 64 hexadecimal digits. */
  readonly publicKey: string
  readonly isSealed: boolean
  /** The seed. @throws HelperError 'key-unusable' for a missing or wrong passphrase, or a key that does not belong to it */
  open(passphrase: string | null): Promise<Uint8Array>
}

/** The text of a 32-byte seed, sealed if there is a passphrase. */
export async function writeSecret(seed: Uint8Array, passphrase: string | null): Promise<string> {
  const head = headOf(Buffer.from(ed25519PublicKey(seed)).toString('hex'))
  if (passphrase === null) return `${head}secret ${Buffer.from(seed).toString('hex')}\n`
  const [salt, nonce] = [randomBytes(16), randomBytes(12)]
  const cipher = createCipheriv('aes-256-gcm', await stretch(passphrase, salt, COST), nonce)
  cipher.setAAD(Buffer.from(head))
  const sealed = Buffer.concat([cipher.update(seed), cipher.final(), cipher.getAuthTag()])
  const { N, r, p } = COST
  return `${head}sealed scrypt ${N} ${r} ${p} ${[salt, nonce, sealed].map((bytes) => bytes.toString('hex')).join(' ')}\n`
}

/** Reads the text; case, blank lines and spaces around lines do not matter. @throws HelperError 'key-unusable' */
export function readSecret(text: string): SecretText {
  const lines = text
    .slice(0, SECRET_TEXT_LENGTH_MAX)
    .split('\n')
    .map((line) => line.trim().toLowerCase().replace(/\s+/g, ' '))
    .filter((line) => line !== '')
  const publicKey = /^public ([0-9a-f]{64})$/.exec(lines[1] ?? '')?.[1]
  const plain = /^secret ([0-9a-f]{64})$/.exec(lines[2] ?? '')?.[1]
  const sealed = /^sealed scrypt (\d+) (\d+) (\d+) ([0-9a-f]{32}) ([0-9a-f]{24}) ([0-9a-f]{96})$/.exec(lines[2] ?? '')
  if (lines[0] !== FIRST_LINE || publicKey === undefined || lines.length !== 3 || (plain ?? sealed ?? null) === null)
    throw unusable(`expected the text that begins with '${FIRST_LINE}', got something else`)
  const open = async (passphrase: string | null): Promise<Uint8Array> => {
    const seed = sealed === null ? Buffer.from(plain ?? '', 'hex') : await unseal(publicKey, sealed, passphrase)
    if (Buffer.from(ed25519PublicKey(seed)).toString('hex') !== publicKey)
      throw unusable('expected the secret of its public key, got another: is a digit mistyped?')
    return seed
  }
  return { publicKey, isSealed: sealed !== null, open }
}

async function unseal(publicKey: string, match: RegExpExecArray, passphrase: string | null): Promise<Uint8Array> {
  if (passphrase === null)
    throw unusable(
      'expected a passphrase, got none, try a terminal, GIT_ASKPASS, --passphrase-file or GITTORRENT_PASSPHRASE',
    )
  const [N, r, p] = match.slice(1, 4).map(Number)
  const [salt, nonce, bytes] = match.slice(4).map((hex) => Buffer.from(hex, 'hex'))
  if (N === undefined || r === undefined || p === undefined || salt === undefined || bytes === undefined || !nonce)
    throw unusable('expected all parts of a sealed key')
  const isSane = N >= 2 && (N & (N - 1)) === 0 && N <= SCRYPT_COST_MAX && r >= 1 && r <= 32 && p >= 1 && p <= 16
  if (!isSane || 128 * N * r > SCRYPT_MEMORY_BYTES_MAX) throw unusable('expected scrypt parameters within bounds')
  const decipher = createDecipheriv('aes-256-gcm', await stretch(passphrase, salt, { N, r, p }), nonce)
  decipher.setAAD(Buffer.from(headOf(publicKey)))
  decipher.setAuthTag(bytes.subarray(-TAG_LENGTH))
  try {
    return Buffer.concat([decipher.update(bytes.subarray(0, -TAG_LENGTH)), decipher.final()])
  } catch (error) {
    throw new HelperError('key-unusable', 'key: expected the passphrase that sealed it, got another', {}, error)
  }
}

function stretch(passphrase: string, salt: Uint8Array, cost: Cost): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = { ...cost, maxmem: SCRYPT_MEMORY_BYTES_MAX + 1024 * 1024 * cost.p }
    scrypt(Buffer.from(passphrase.normalize('NFC')), salt, KEY_LENGTH, options, (error, key) => {
      if (error === null) resolve(key)
      else reject(error)
    })
  })
}

function headOf(publicKey: string): string {
  return `${FIRST_LINE}\npublic ${publicKey}\n`
}

function unusable(what: string): HelperError {
  return new HelperError('key-unusable', `key: ${what}`)
}
