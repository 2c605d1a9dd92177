/**
 * Fuzz target of DNS answers. Only HelperError may come out; texts are no longer than the message.
 */

import { HelperError } from '../../helper/errors.ts'
import { decodeTxtAnswer, encodeTxtQuery } from '../../helper/names/dns-message.ts'

const ID = 0x1234

export function fuzz(bytes: Uint8Array): void {
  try {
    const answer = decodeTxtAnswer(bytes, ID)
    const length = answer?.texts.reduce((sum, text) => sum + text.length, 0) ?? 0
    if (length > bytes.length) throw new Error('more text than was sent')
  } catch (error) {
    if (!(error instanceof HelperError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  const query = Buffer.from(encodeTxtQuery(ID, '_gittorrent.example.org')).subarray(0, -11)
  query.writeUInt16BE(0x81a0, 2)
  query.writeUInt16BE(0, 10)
  const record = Buffer.from('c00c0010000100000e10000c0b6b65793d6162636465663031', 'hex')
  const answer = Buffer.concat([query, record])
  answer.writeUInt16BE(1, 6)
  return [query, answer]
}

export const dictionary = ['\xc0\x0c', '\0\x10\0\x01', '\x12\x34\x81\xa0', '\0\x01', '\xff\xff']
