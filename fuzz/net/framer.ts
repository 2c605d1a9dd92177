// Fuzz target: the framer behind a good handshake;
// the first byte says in how long pieces the rest arrives.
import { Framer } from '../../net/framer.ts'
import { NetError } from '../../net/index.ts'

const HANDSHAKE = Buffer.concat([Buffer.from('\x13BitTorrent protocol', 'latin1'), Buffer.alloc(48)])

export function fuzz(bytes: Uint8Array): void {
  const step = 1 + (bytes[0] ?? 0)
  const framer = new Framer({ onHandshake: () => {}, wants: (id) => id !== 7 })
  const stream = Buffer.concat([HANDSHAKE, bytes.subarray(1)])
  try {
    for (let at = 0; at < stream.length; at += step) framer.push(stream.subarray(at, at + step))
    new Framer({ onHandshake: () => {}, wants: () => true }).push(bytes)
  } catch (error) {
    if (!(error instanceof NetError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  const messages = Buffer.from(
    '00000000' + '0000000101' + '000000050400000001' + '00000003140064' + '0000000107',
    'hex',
  )
  return [
    Buffer.concat([Buffer.of(0), messages]),
    Buffer.concat([Buffer.of(4), messages]),
    Buffer.concat([HANDSHAKE, messages]),
  ]
}

export const dictionary = ['\0\0\0\x01', '\0\x08\0\0', '\0\0\0\x0d\x06', '\x13BitTorrent protocol']
