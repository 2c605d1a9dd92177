/**
 * The signature of a manifest: its last two lines, `"key"` (Ed25519 public key) and `"signature"`. Signed are a fixed prefix and the
 * bytes of the whole file with zeros in place of the signature's digits, so a folder needs no second file that could be older or
 * newer than the first, and a reader needs no rules for writing JSON. The same manifest and key give the same bytes.
 * It says who exported the folder, and which one: the topic is in it. It does not say that it is the newest one.
 */

import { signEd25519, verifyEd25519 } from '../../net/index.ts'
import { HelperError } from '../errors.ts'

const PREFIX = Buffer.from('gittorrent manifest 1\n')
const END = '\n}\n'
const DIGIT_COUNT = 128
const ZEROS = '0'.repeat(DIGIT_COUNT)
const SIGNED = /,\n "key": "([0-9a-f]{64})",\n "signature": "([0-9a-f]{128})"\n}\n$/

/** Length in bytes of what the pattern matches. */
const SIGNED_LENGTH = `,\n "key": "${'0'.repeat(64)}",\n "signature": "${ZEROS}"${END}`.length

export interface ManifestSigner {
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** The seed of RFC 8032, 32 bytes. */
  readonly seed: Uint8Array
}

/** The bytes of a manifest with its two last lines added. */
export function signManifest(manifest: Uint8Array, { publicKey, seed }: ManifestSigner): Uint8Array {
  const text = Buffer.from(manifest).toString('utf8').slice(0, -END.length)
  const lines = `,\n "key": "${Buffer.from(publicKey).toString('hex')}",\n "signature": "${ZEROS}"${END}`
  const bytes = Buffer.from(text + lines)
  const signature = Buffer.from(signEd25519(seed, Buffer.concat([PREFIX, bytes])))
  bytes.write(signature.toString('hex'), bytes.length - END.length - 1 - DIGIT_COUNT, 'latin1')
  return bytes
}

/** Who signed a manifest, 64 hexadecimal digits; null if nobody did. @throws HelperError 'unsigned' if it was changed since */
export function signerOf(manifest: Uint8Array): string | null {
  const end = Buffer.from(manifest.subarray(-SIGNED_LENGTH)).toString('latin1')
  const [, key, signature] = SIGNED.exec(end) ?? []
  if (key === undefined || signature === undefined) return null
  const bytes = Buffer.from(manifest)
  bytes.write(ZEROS, bytes.length - END.length - 1 - DIGIT_COUNT, 'latin1')
  const isGood = verifyEd25519(Buffer.from(signature, 'hex'), Buffer.concat([PREFIX, bytes]), Buffer.from(key, 'hex'))
  if (!isGood) throw new HelperError('unsigned', `manifest: expected a good signature of ${key}, got another one`)
  return key
}
