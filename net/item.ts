/**
 * Mutable items of BEP 44: the bytes that are signed, the target under which an item is found, and an encoding of a whole
 * item for other ways than the DHT. Whoever holds an item can hand it on; only the holder of the secret can make one.
 * Values are byte strings: BEP 44 allows any bencoded value, but libraries bound the length of byte strings only.
 */
import { createHash } from 'node:crypto'
import {
  asBytes,
  asDict,
  asInteger,
  type Bencode,
  type BencodeDict,
  bencodeDict,
  decodeBencode,
  encodeBencode,
  fromLatin1,
} from './bencode.ts'
import { ed25519PublicKey, signEd25519, verifyEd25519 } from './ed25519.ts'
import { NetError } from './errors.ts'
import { DHT_SALT_LENGTH_MAX, DHT_VALUE_LENGTH_MAX } from './limits.ts'

export interface MutableItem {
  /** Ed25519 public key, 32 bytes. */
  readonly key: Uint8Array
  /** 0 to 64 bytes; empty for none. */
  readonly salt: Uint8Array
  /** Grows with every new value. */
  readonly seq: number
  /** 1 to 995 bytes. */
  readonly value: Uint8Array
  /** 64 bytes. */
  readonly signature: Uint8Array
}

/** Where an item of `key` and `salt` is found: SHA-1 of both, 20 bytes (BEP 44). */
export function itemTarget(key: Uint8Array, salt: Uint8Array): Uint8Array {
  return createHash('sha1').update(key).update(salt).digest()
}

/** What is signed: the bencoded pairs salt (if any), seq and v, in this order, without the dictionary around them. */
export function itemMessage(salt: Uint8Array, seq: number, value: Uint8Array): Uint8Array {
  const saltPart = salt.length === 0 ? [] : [fromLatin1(`4:salt${salt.length}:`), salt]
  return Buffer.concat([...saltPart, fromLatin1(`3:seqi${seq}e1:v${value.length}:`), value])
}

/**
 * Makes an item with the 32-byte secret (the seed of RFC 8032).
 * @throws NetError message-limit for a salt, seq or value that BEP 44 has no room for
 */
export function signItem(seed: Uint8Array, content: Pick<MutableItem, 'salt' | 'seq' | 'value'>): MutableItem {
  const { salt, seq, value } = content
  if (salt.length > DHT_SALT_LENGTH_MAX || value.length < 1 || value.length > DHT_VALUE_LENGTH_MAX) {
    const expected = `at most ${DHT_SALT_LENGTH_MAX} bytes of salt and 1 to ${DHT_VALUE_LENGTH_MAX} of value`
    throw new NetError('message-limit', `item: expected ${expected}, got ${salt.length} and ${value.length}`)
  }
  if (!Number.isSafeInteger(seq) || seq < 0) throw new NetError('message-limit', `item: expected a seq, got ${seq}`)
  return { key: ed25519PublicKey(seed), salt, seq, value, signature: signEd25519(seed, itemMessage(salt, seq, value)) }
}

/** True if the holder of `key` signed exactly this item. */
export function isGenuineItem({ key, salt, seq, value, signature }: MutableItem): boolean {
  return verifyEd25519(signature, itemMessage(salt, seq, value), key)
}

/** The item as a bencoded dictionary with the names of BEP 44: k, salt (absent if empty), seq, sig, v. */
export function encodeItem(item: MutableItem): Uint8Array {
  return encodeBencode(itemDict(item))
}

function itemDict({ key, salt, seq, value, signature }: MutableItem): BencodeDict {
  return bencodeDict({ k: key, salt: salt.length === 0 ? undefined : salt, seq: BigInt(seq), sig: signature, v: value })
}

/**
 * Reads what encodeItem wrote and checks the signature.
 * @throws NetError message-malformed for anything else, and for an item that its key did not sign
 */
export function decodeItem(bytes: Uint8Array): MutableItem {
  const item = itemOf(decodeBencode(bytes))
  if (item === null) throw new NetError('message-malformed', 'item: expected a signed item of BEP 44')
  return item
}

/** The genuine item in a decoded dictionary (also one of a DHT reply, with the salt that was asked for), or null. */
export function itemOf(value: Bencode | undefined): MutableItem | null {
  const dict = asDict(value)
  const key = asBytes(dict?.get('k'), 32, 32)
  const salt = dict?.has('salt') ? asBytes(dict.get('salt'), 1, DHT_SALT_LENGTH_MAX) : new Uint8Array(0)
  const seq = asInteger(dict?.get('seq'), 0, Number.MAX_SAFE_INTEGER)
  const signature = asBytes(dict?.get('sig'), 64, 64)
  const content = asBytes(dict?.get('v'), 1, DHT_VALUE_LENGTH_MAX)
  if (key === null || salt === null || seq === null || signature === null || content === null) return null
  // Copies, so that nobody keeps a whole datagram alive.
  const item = {
    key: Uint8Array.from(key),
    salt: Uint8Array.from(salt),
    seq,
    value: Uint8Array.from(content),
    signature: Uint8Array.from(signature),
  }
  return isGenuineItem(item) ? item : null
}
