// Fuzz target: messages behind a good handshake as bittorrent-protocol takes them on a topic's connection, behind our
// framer and shield. They may end the connection, not throw, and not keep it busy.
import Wire from 'bittorrent-protocol'
import { Framer } from '../../net/framer.ts'
import { NetError } from '../../net/index.ts'
import { shieldWire } from '../../net/wire-guard.ts'

export function fuzz(bytes: Uint8Array): void {
  const wire = new Wire()
  let dropped = false
  const drop = (): void => {
    dropped = true
  }
  shieldWire(wire, drop)
  wire.on('error', drop)
  wire.resume()
  const framer = new Framer({ onHandshake: () => {}, wants: () => true })
  try {
    framer.push(HANDSHAKE)
    for (const joined of framer.push(bytes)) {
      for (let at = 0; at < joined.length && !dropped; ) {
        const length = new DataView(joined.buffer, joined.byteOffset + at, 4).getUint32(0)
        if (length > 0) wire._onMessage(joined.subarray(at + 4, at + 4 + length))
        at += 4 + length
      }
    }
  } catch (error) {
    if (!(error instanceof NetError)) throw error
  }
  wire.destroy()
}

const HANDSHAKE = Buffer.concat([Buffer.from('\x13BitTorrent protocol', 'latin1'), Buffer.alloc(48)])

export function seeds(): Uint8Array[] {
  const message = (hex: string): Buffer => {
    const body = Buffer.from(hex, 'hex')
    return Buffer.concat([Buffer.from(body.length.toString(16).padStart(8, '0'), 'hex'), body])
  }
  const extended = Buffer.from('d1:md11:ut_metadatai1e11:gittorrent1i2ee1:pi6881e4:reqqi250e1:v4:teste').toString('hex')
  const messages = [
    ...['00', '01', '02', '03', '0400000001', '050000000000', '06000000000000000000004000', '0e', '0f', '0d00000001'],
    ...['0700000000000000006162', '08000000000000000000004000', '091ae1', '10000000000000000000004000', '1100000001'],
    `1400${extended}`,
    `1401${Buffer.from('d8:msg_typei0e5:piecei0ee').toString('hex')}`,
  ].map(message)
  return [...messages, Buffer.concat(messages)]
}

export const dictionary = [
  '\0\0\0\x05\x04',
  '\0\0\0\x0d\x06',
  '\x14\0d',
  '\x14\x01d',
  '1:md',
  'i1e',
  '8:msg_typei',
  'ee',
  '\xff\xff\xff\xff',
]
