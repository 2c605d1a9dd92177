// Fuzz target: the hello of a topic, decoded as the library decodes it. Reading never throws; what is taken is a version
// that we speak, a number that a message can have, and a port that can be dialled.
import { createRequire } from 'node:module'
import { parseHello } from '../../net/topic-wire.ts'
import { BENCODE_WORDS } from '../driver/seeds.ts'

const codec: { decode(bytes: Uint8Array): unknown } = createRequire(import.meta.url)('bencode')

export function fuzz(bytes: Uint8Array): void {
  let handshake: unknown
  try {
    handshake = codec.decode(bytes)
  } catch {
    return
  }
  // The library hands on what is truthy.
  if (!handshake) return
  const hello = parseHello(handshake as Record<string, unknown>)
  if (hello === null) return
  const { version, number, listenPort } = hello
  const isWithin = (value: number, min: number, max: number): boolean =>
    Number.isInteger(value) && value >= min && value <= max
  if (!isWithin(version, 1, 2 ** 53) || !isWithin(number, 1, 255)) throw new Error('a hello out of bounds')
  if (listenPort !== null && !isWithin(listenPort, 1, 65535)) throw new Error('a port out of bounds')
}

export function seeds(): Uint8Array[] {
  return ['d3:gt1d1:ri16e1:vi1ee1:md11:gittorrent1i1ee1:pi7001ee', 'd1:md11:gittorrent1i255ee3:gt1d1:vi2eee'].map(
    (text) => Buffer.from(text),
  )
}

export const dictionary = [...BENCODE_WORDS, '3:gt1', '1:v', '1:r', '1:p', '1:m', '11:gittorrent1', 'i65536e', 'i256e']
