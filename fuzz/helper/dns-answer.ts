/**
 * Fuzz target of DNS answers, which anybody on the way can send. Only HelperError may come out; texts are no longer than the
 * message, whatever its names and counts claim.
 */
import { HelperError } from '../../helper/errors.ts'
import { decodeTxtAnswer, encodeTxtQuery } from '../../helper/names/dns-message.ts'

const ID = 7

export function fuzz(bytes: Uint8Array): void {
  try {
    const answer = decodeTxtAnswer(bytes, ID)
    const length = answer?.texts.reduce((sum, text) => sum + text.length, 0) ?? 0
    if (length > bytes.length) throw new Error('more text than message')
  } catch (error) {
    if (!(error instanceof HelperError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  const query = Buffer.from(encodeTxtQuery(ID, '_gittorrent.project.example'))
  const text = Buffer.from(`gittorrent=${'a'.repeat(40)}`)
  const rdata = Buffer.concat([Buffer.from([text.length]), text])
  const record = Buffer.concat([Buffer.from([0xc0, 12, 0, 16, 0, 1, 0, 0, 14, 16, 0, rdata.length]), rdata])
  return [0, 1, 2].map((count) => {
    const answer = Buffer.concat([query.subarray(0, query.length - 11), ...Array(count).fill(record)])
    answer.writeUInt16BE(0x81a0, 2)
    answer.writeUInt16BE(count, 6)
    answer.writeUInt16BE(0, 10)
    return answer
  })
}

export const dictionary = ['\x00\x07\x81\x80', '\xc0\x0c', '\x00\x10\x00\x01', '\xff\xff', '\x3f', 'gittorrent=']
