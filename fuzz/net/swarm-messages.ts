// Fuzz target: messages of a swarm connection behind a good handshake, and what extension messages carry. It may throw
// NetError only; what is understood is written in the same bytes.
import { Framer } from '../../net/framer.ts'
import { NetError } from '../../net/index.ts'
import { Bitfield } from '../../net/swarm/bitfield.ts'
import { answerMetadata, decodeHello, encodeHello } from '../../net/swarm/extension.ts'
import {
  encodeBytesMessage,
  encodeExtended,
  encodeHandshake,
  encodeMessage,
  encodePieceHead,
  ID,
  parseMessages,
  type WireMessage,
} from '../../net/swarm/wire-messages.ts'

const PIECE_COUNT = 40
const INFO = Buffer.alloc(40_000, 'info')
const HANDSHAKE = encodeHandshake(new Uint8Array(20), new Uint8Array(20))

export function fuzz(bytes: Uint8Array): void {
  const framer = new Framer({ onHandshake: () => {}, wants: () => true })
  try {
    framer.push(HANDSHAKE)
    for (const run of framer.push(bytes)) {
      for (const message of parseMessages(run)) check(message, run)
    }
  } catch (error) {
    if (!(error instanceof NetError)) throw error
  }
}

function check(message: WireMessage, run: Uint8Array): void {
  const written = encoded(message)
  if (written !== null && !Buffer.from(run).includes(Buffer.from(written)))
    throw new Error('a message that was not sent')
  if (message.type === 'bitfield') {
    const field = new Bitfield(PIECE_COUNT, message.bytes)
    if (field.count > PIECE_COUNT || field.bytes.length !== PIECE_COUNT / 8)
      throw new Error('more pieces than there are')
  }
  if (message.type !== 'extended') return
  if (message.id === 0) decodeHello(message.payload)
  else if ((answerMetadata(message.payload, INFO)?.length ?? 0) > 17_000)
    throw new Error('more than one part of metadata')
}

/** The bytes of a message; null where several ids mean the same. */
function encoded(message: WireMessage): Uint8Array | null {
  switch (message.type) {
    case 'have':
      return encodeMessage(ID.have, message.index)
    case 'request':
    case 'cancel':
    case 'reject':
      return encodeMessage(ID[message.type], message.index, message.offset, message.length)
    case 'piece':
      return Buffer.concat([encodePieceHead({ ...message, length: message.bytes.length }), message.bytes])
    case 'bitfield':
      return encodeBytesMessage(ID.bitfield, message.bytes)
    case 'extended':
      return encodeExtended(message.id, message.payload)
    default:
      return null
  }
}

export function seeds(): Uint8Array[] {
  const block = { index: 1, offset: 16384, length: 5 }
  const question = Buffer.from('d8:msg_typei0e5:piecei2ee')
  const messages = [
    ...[ID.choke, ID.unchoke, ID.interested, ID.notInterested, ID.haveAll, ID.haveNone].map((id) => encodeMessage(id)),
    ...[ID.have, ID.suggest, ID.allowedFast].map((id) => encodeMessage(id, 7)),
    ...[ID.request, ID.cancel, ID.reject].map((id) => encodeMessage(id, 1, 16384, 16384)),
    Buffer.concat([encodePieceHead(block), Buffer.from('block')]),
    encodeBytesMessage(ID.bitfield, new Uint8Array(5).fill(255)),
    encodeExtended(0, encodeHello(INFO.length, true, 'lacking')),
    encodeExtended(1, question),
  ]
  return [...messages, Buffer.concat(messages)]
}

export const dictionary = [
  '\0\0\0\x01',
  '\0\0\0\x05\x04',
  '\0\0\0\x0d\x06',
  '\x14\0d',
  '\x14\x01d',
  '11:ut_metadatai',
  '8:msg_typei',
  'ee',
]
