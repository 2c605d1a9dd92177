/**
 * Messages of a swarm connection as bytes: BEP 3, the fast extension (BEP 6), and the envelope of extensions (BEP 10).
 * Reads runs of whole frames, as Framer hands them on, without copying blocks. A message of the wrong length is malformed;
 * an id that is not known here is passed over (ports of DHT nodes, for one). Pure.
 */
import { NetError } from '../errors.ts'

/** Bytes of a block, the unit of requests; what every BitTorrent program asks for. */
export const BLOCK_LENGTH = 16 * 1024

const PREFIX_LENGTH = 4
const HANDSHAKE_TEXT = '\x13BitTorrent protocol'
const RESERVED_BYTE_EXTENDED = 25
const RESERVED_BYTE_FAST = 27

/** Ids of messages. */
export const ID = {
  choke: 0,
  unchoke: 1,
  interested: 2,
  notInterested: 3,
  have: 4,
  bitfield: 5,
  request: 6,
  piece: 7,
  cancel: 8,
  suggest: 13,
  haveAll: 14,
  haveNone: 15,
  reject: 16,
  allowedFast: 17,
  extended: 20,
} as const

/** Part of a piece: bytes `offset` … `offset + length` of piece `index`. */
export interface Block {
  readonly index: number
  readonly offset: number
  readonly length: number
}

export type WireMessage =
  | { readonly type: 'choke' | 'unchoke' | 'interested' | 'not-interested' | 'have-all' | 'have-none' }
  | { readonly type: 'have' | 'hint'; readonly index: number }
  | { readonly type: 'bitfield'; readonly bytes: Uint8Array }
  | ({ readonly type: 'request' | 'cancel' | 'reject' } & Block)
  | { readonly type: 'piece'; readonly index: number; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly type: 'extended'; readonly id: number; readonly payload: Uint8Array }

/** The 68 bytes that open a connection; says that we speak BEP 6 and BEP 10. */
export function encodeHandshake(infohash: Uint8Array, peerId: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(68)
  bytes.set(Buffer.from(HANDSHAKE_TEXT, 'latin1'))
  bytes[RESERVED_BYTE_EXTENDED] = 0x10
  bytes[RESERVED_BYTE_FAST] = 0x04
  bytes.set(infohash, 28)
  bytes.set(peerId, 48)
  return bytes
}

/** A message of `id` with 32-bit numbers behind it. */
export function encodeMessage(id: number, ...numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(PREFIX_LENGTH + 1 + 4 * numbers.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 1 + 4 * numbers.length)
  bytes[PREFIX_LENGTH] = id
  numbers.forEach((number, at) => {
    view.setUint32(PREFIX_LENGTH + 1 + 4 * at, number)
  })
  return bytes
}

/** A `have` of each piece, one behind the other. */
export function encodeHaves(indexes: readonly number[]): Uint8Array {
  const length = PREFIX_LENGTH + 5
  const bytes = new Uint8Array(length * indexes.length)
  const view = new DataView(bytes.buffer)
  indexes.forEach((index, at) => {
    view.setUint32(length * at, 5)
    bytes[length * at + PREFIX_LENGTH] = ID.have
    view.setUint32(length * at + PREFIX_LENGTH + 1, index)
  })
  return bytes
}

/** A message of `id` with bytes behind it. */
export function encodeBytesMessage(id: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(PREFIX_LENGTH + 1 + payload.length)
  new DataView(bytes.buffer).setUint32(0, 1 + payload.length)
  bytes[PREFIX_LENGTH] = id
  bytes.set(payload, PREFIX_LENGTH + 1)
  return bytes
}

/** What stands before the bytes of a block. */
export function encodePieceHead({ index, offset, length }: Block): Uint8Array {
  const bytes = new Uint8Array(PREFIX_LENGTH + 9)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 9 + length)
  bytes[PREFIX_LENGTH] = ID.piece
  view.setUint32(5, index)
  view.setUint32(9, offset)
  return bytes
}

/** Message 20: an extension message of number `extension`. */
export function encodeExtended(extension: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(PREFIX_LENGTH + 2 + payload.length)
  new DataView(bytes.buffer).setUint32(0, 2 + payload.length)
  bytes[PREFIX_LENGTH] = ID.extended
  bytes[PREFIX_LENGTH + 1] = extension
  bytes.set(payload, PREFIX_LENGTH + 2)
  return bytes
}

/** Four zero bytes. */
export const KEEP_ALIVE = new Uint8Array(PREFIX_LENGTH)

/**
 * Reads a run of whole frames; the messages' bytes are views of it.
 * @throws NetError message-malformed
 */
export function parseMessages(run: Uint8Array): WireMessage[] {
  const messages: WireMessage[] = []
  const view = new DataView(run.buffer, run.byteOffset, run.length)
  for (let at = 0; at + PREFIX_LENGTH <= run.length; ) {
    const end = at + PREFIX_LENGTH + view.getUint32(at)
    if (end > run.length) throw new NetError('message-malformed', 'message: expected it whole')
    if (end > at + PREFIX_LENGTH) {
      const message = parseOne(run.subarray(at + PREFIX_LENGTH, end))
      if (message !== null) messages.push(message)
    }
    at = end
  }
  return messages
}

const BARE = new Map<number, 'choke' | 'unchoke' | 'interested' | 'not-interested' | 'have-all' | 'have-none'>([
  [ID.choke, 'choke'],
  [ID.unchoke, 'unchoke'],
  [ID.interested, 'interested'],
  [ID.notInterested, 'not-interested'],
  [ID.haveAll, 'have-all'],
  [ID.haveNone, 'have-none'],
])

const OF_BLOCK = new Map<number, 'request' | 'cancel' | 'reject'>([
  [ID.request, 'request'],
  [ID.cancel, 'cancel'],
  [ID.reject, 'reject'],
])

/** One message without its length prefix, null if it is to be passed over. */
function parseOne(bytes: Uint8Array): WireMessage | null {
  const id = bytes[0] ?? 0
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const expect = (isRight: boolean): void => {
    if (!isRight) throw new NetError('message-malformed', `message ${id}: expected another length than ${bytes.length}`)
  }
  const bare = BARE.get(id)
  if (bare !== undefined) {
    expect(bytes.length === 1)
    return { type: bare }
  }
  const ofBlock = OF_BLOCK.get(id)
  if (ofBlock !== undefined) {
    expect(bytes.length === 13)
    return { type: ofBlock, index: view.getUint32(1), offset: view.getUint32(5), length: view.getUint32(9) }
  }
  if (id === ID.piece) {
    expect(bytes.length > 9)
    return { type: 'piece', index: view.getUint32(1), offset: view.getUint32(5), bytes: bytes.subarray(9) }
  }
  if (id === ID.have || id === ID.suggest || id === ID.allowedFast) {
    expect(bytes.length === 5)
    return { type: id === ID.have ? 'have' : 'hint', index: view.getUint32(1) }
  }
  if (id === ID.bitfield) return { type: 'bitfield', bytes: bytes.subarray(1) }
  if (id !== ID.extended) return null
  expect(bytes.length >= 2)
  return { type: 'extended', id: bytes[1] ?? 0, payload: bytes.subarray(2) }
}
