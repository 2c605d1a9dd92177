/**
 * Fuzz target of the answer of the tunnel: a pack in side bands. Only HelperError may come out; what git is given are bytes of the answer.
 */

import { Readable } from 'node:stream'
import { HelperError } from '../../helper/errors.ts'
import { readPack } from '../../helper/publish/tip-fetch.ts'
import { ByteReader } from '../../helper/remote/byte-reader.ts'
import { encodePacket } from '../../helper/remote/pkt-line.ts'

export async function fuzz(bytes: Uint8Array): Promise<void> {
  const whole = Buffer.from(bytes)
  let length = 0
  const write = async (part: Uint8Array): Promise<void> => {
    length += part.length
    if (!whole.includes(Buffer.from(part))) throw new Error('bytes that nobody sent')
  }
  try {
    await readPack(new ByteReader(Readable.from([whole], { objectMode: false })), { write })
  } catch (error) {
    if (!(error instanceof HelperError)) throw error
  }
  if (length > whole.length) throw new Error('more than came')
}

export function seeds(): Uint8Array[] {
  const packets = ['\x01PACK', '\x02Counting objects\r', '\x01rest', '\x03error'].map((text) => encodePacket(text))
  const flush = Buffer.from('0000')
  return [Buffer.concat([...packets.slice(0, 3), flush]), Buffer.concat([...packets, flush]), flush]
}

export const dictionary = ['0000', '0001', '0002', '0004', '0005\x01', '0005\x03', 'ffff', 'fff0']
