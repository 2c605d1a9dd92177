/**
 * Fuzz target of a member of a swarm between two peers that say what they like, in whatever order. The input is steps: a byte that
 * says whose step it is, that time passes, or that a peer goes and comes again, and a length with that many bytes of messages;
 * a good block can stand behind them. Nothing may be thrown or fail, only right bytes may be written, and what a peer is
 * sent must be messages.
 */

import { createHash } from 'node:crypto'
import { bencodeDict, encodeBencode } from '../../net/index.ts'
import { Bitfield } from '../../net/swarm/bitfield.ts'
import { Swarm, type SwarmEnd } from '../../net/swarm/swarm.ts'
import {
  BLOCK_LENGTH,
  encodeBytesMessage,
  encodeExtended,
  encodeMessage,
  encodePieceHead,
  ID,
  parseMessages,
} from '../../net/swarm/wire-messages.ts'
import { checkTorrent } from '../../net/torrent.ts'

const PIECE_COUNT = 6
const PIECE_LENGTH = 2 * BLOCK_LENGTH
const LENGTH = PIECE_COUNT * PIECE_LENGTH - 5_000
const STEP_MS = 40
const PEER_COUNT = 2
/** The third member of the swarm: a piece that we have. */
const OWN_PIECE = 3

const sha1 = (bytes: Uint8Array): Buffer => createHash('sha1').update(bytes).digest()
/** Everything is zeros, so that every block has the same bytes. */
const CONTENT = new Uint8Array(LENGTH)
const BLOCK = CONTENT.subarray(0, BLOCK_LENGTH)
const pieces = Buffer.concat(
  Array.from({ length: PIECE_COUNT }, (_, index) =>
    sha1(CONTENT.subarray(index * PIECE_LENGTH, (index + 1) * PIECE_LENGTH)),
  ),
)
const info = encodeBencode(
  bencodeDict({
    length: BigInt(LENGTH),
    name: Buffer.from('fuzz'),
    'piece length': BigInt(PIECE_LENGTH),
    pieces,
  }),
)
const TORRENT = checkTorrent({ infohash: sha1(info), info, lengthBytes: LENGTH, pieceLengthBytes: PIECE_LENGTH })

const STEP = { time: 2, renewal: 3, block: 4 } as const

export async function fuzz(bytes: Uint8Array): Promise<void> {
  let nowMs = 1
  let draw = 1
  const fail = (what: string): never => {
    throw new Error(what)
  }
  const failed: unknown[] = []
  const random = (): number => {
    draw = (draw * 16_807) % 2_147_483_647
    return draw / 2_147_483_647
  }
  const swarm = openSwarm(failed, () => nowMs, random)
  const ends: (SwarmEnd | null)[] = []
  const join = (at: number): void => {
    const [isFast, isExtended] = [at === 0, at === 0]
    let isDropped = false
    const link = {
      name: `peer ${at}`,
      fast: isFast,
      extended: isExtended,
      backlogLength: 0,
      backlogLengthMax: 2 ** 18,
      send: (parts: readonly Uint8Array[]) => {
        if (isDropped) fail('sent to one who is gone')
        parseMessages(Buffer.concat(parts))
      },
      drop: () => {
        isDropped = true
        ends[at]?.closed()
        ends[at] = null
      },
    }
    ends[at] = swarm.join(link)
  }
  for (let at = 0; at < PEER_COUNT; at++) join(at)
  for (let at = 0; at + 1 < bytes.length; ) {
    const [step = 0, count = 0] = [bytes[at], bytes[at + 1]]
    const said = bytes.subarray(at + 2, at + 2 + count)
    const who = step & 1
    at += 2
    if ((step & 3) === STEP.time) {
      nowMs += count * STEP_MS
      swarm.tick()
    } else if ((step & 3) === STEP.renewal) {
      const renewed = (step >> 2) & 1
      ends[renewed]?.closed()
      join(renewed)
    } else {
      at += count
      ends[who]?.receive(framed(said))
      if ((step & STEP.block) !== 0) ends[who]?.receive(blockOf(count % PIECE_COUNT, step >> 4))
    }
    // Reads and writes of a store take a while.
    if (step > 127) await Promise.resolve()
  }
  await new Promise(setImmediate)
  swarm.leave()
  if (failed.length > 0) throw failed[0]
}

/** A member that has one piece and wants the others; what must not happen is added to `failed`. */
function openSwarm(failed: unknown[], nowMs: () => number, random: () => number): Swarm {
  const have = new Bitfield(PIECE_COUNT)
  have.set(OWN_PIECE)
  const isWrong = (offset: number, written: Uint8Array): boolean =>
    offset % PIECE_LENGTH !== 0 || offset + written.length > LENGTH || written.some((byte) => byte !== 0)
  const options = {
    torrent: TORRENT,
    source: { read: async (offset: number, length: number) => CONTENT.subarray(offset, offset + length) },
    write: async (offset: number, written: Uint8Array) => {
      if (isWrong(offset, written)) failed.push(new Error('wrong bytes are written'))
    },
    have,
    wanted: Bitfield.full(PIECE_COUNT),
    onPiece: (index: number) => {
      if (!have.has(index)) failed.push(new Error('a piece that is not there'))
    },
    onDone: () => {
      if (!have.isFull) failed.push(new Error('done too early'))
    },
    onFailure: (error: unknown) => void failed.push(error),
  }
  return new Swarm(options, { clock: { nowMs }, random })
}

/** Bytes as messages: the first byte of each says how long it is. */
function framed(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += 1 + (bytes[at] ?? 0)) {
    const body = bytes.subarray(at + 1, at + 1 + (bytes[at] ?? 0))
    parts.push(Buffer.of(0, 0, 0, body.length), body)
  }
  return Buffer.concat(parts)
}

function blockOf(index: number, offsetCount: number): Uint8Array {
  const offset = (offsetCount % 2) * BLOCK_LENGTH
  const length = Math.min(BLOCK_LENGTH, LENGTH - index * PIECE_LENGTH - offset)
  return Buffer.concat([encodePieceHead({ index, offset, length }), BLOCK.subarray(0, length)])
}

function step(who: number, ...messages: readonly Uint8Array[]): Uint8Array {
  const bodies = messages.flatMap((message) => [Buffer.of(message.length - 4), message.subarray(4)])
  const said = Buffer.concat(bodies)
  return Buffer.concat([Buffer.of(who, said.length), said])
}

export function seeds(): Uint8Array[] {
  const beat = Buffer.of(STEP.time, 25)
  const hello = encodeExtended(0, Buffer.from('d1:md11:ut_metadatai3ee4:gt1hi1e4:gt1wi1e4:reqqi8ee'))
  const question = encodeExtended(1, Buffer.from('d8:msg_typei0e5:piecei0ee'))
  const all = step(0, encodeMessage(ID.haveAll), encodeMessage(ID.unchoke))
  const blocks = Array.from({ length: 12 }, (_, n) => Buffer.of(128 | ((n & 1) << 4) | STEP.block, n >> 1))
  // The number of a block's piece is the length of what is said before it.
  const padded = blocks.map((head) => Buffer.concat([head, Buffer.alloc(head[1] ?? 0)]))
  const bitfield = step(1, encodeBytesMessage(ID.bitfield, Buffer.of(0xf0)), encodeMessage(ID.unchoke))
  const asking = step(
    1,
    encodeMessage(ID.interested),
    encodeMessage(ID.request, OWN_PIECE, 0, BLOCK_LENGTH),
    encodeMessage(ID.cancel, OWN_PIECE, 0, BLOCK_LENGTH),
  )
  return [
    Buffer.concat([step(0, hello), all, beat, ...padded, beat, asking]),
    Buffer.concat([bitfield, beat, asking, beat, Buffer.of(STEP.renewal, 0), step(1, encodeMessage(ID.have, 1))]),
    Buffer.concat([step(0, hello, question), all, step(0, encodeMessage(ID.reject, 0, 0, BLOCK_LENGTH)), beat, beat]),
    Buffer.concat([all, bitfield, ...Array(8).fill(Buffer.of(STEP.time, 255))]),
  ]
}

export const dictionary = [
  '\x01\x00',
  '\x01\x01',
  '\x01\x02',
  '\x01\x0e',
  '\x01\x0f',
  '\x05\x04\0\0\0\x01',
  '\x0d\x06\0\0\0\x03\0\0\0\0\0\0\x40\0',
  '\x0d\x10\0\0\0\0\0\0\0\0\0\0\x40\0',
  '\x02\x05\xfc',
  '\x84\x01',
  '\x02\xff',
  '\x03\x00',
]

export const allocationLengthMax = 2 ** 25
