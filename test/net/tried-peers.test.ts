// Goal: peers that bring nothing keep no other peer from being tried, and no block from one that brings something, however many come and go.
// Method: one member that downloads a single piece, or three of which nobody has the last, whose links are stubs, on a clock that the test sets.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DOWNLOAD_MUTE_MS, DOWNLOAD_TRY_MS, PEER_UNTRIED_SNUB_MS } from '../../net/limits.ts'
import { Bitfield } from '../../net/swarm/bitfield.ts'
import { Swarm, type SwarmEnd } from '../../net/swarm/swarm.ts'
import {
  BLOCK_LENGTH,
  type Block,
  encodeBytesMessage,
  encodeMessage,
  encodePieceHead,
  ID,
  parseMessages,
} from '../../net/swarm/wire-messages.ts'
import { checkTorrent } from '../../net/torrent.ts'
import { bytesOf, torrentOf } from './fixtures.ts'

const BLOCK_COUNT = 4
/** Three pieces of two blocks, or one piece of the first four. */
const CONTENT = bytesOf('content', 6 * BLOCK_LENGTH)
/** The first two pieces. */
const FIRST_TWO = encodeBytesMessage(ID.bitfield, Uint8Array.of(0b11000000))
/** So late is a block to be asked of others, brought something or not. */
const LATE_MS = 410
/** So late is one of those who never brought any to be asked of one who has, at the least and at most. */
const TAKEN_OVER_MS_MIN = 50
const TAKEN_OVER_MS_MAX = 250

class Downloader {
  nowMs = 1_000
  isDone = false
  readonly swarm: Swarm

  constructor(pieceCount = 1) {
    const content = pieceCount === 1 ? CONTENT.subarray(0, BLOCK_COUNT * BLOCK_LENGTH) : CONTENT
    const options = {
      torrent: checkTorrent(torrentOf(content, content.length / pieceCount)),
      source: { read: async () => assert.fail('nothing is asked for') },
      write: async () => {},
      have: new Bitfield(pieceCount),
      wanted: Bitfield.full(pieceCount),
      onPiece: () => {},
      onDone: () => {
        this.isDone = true
      },
      onFailure: assert.fail,
    }
    this.swarm = new Swarm(options, { clock: { nowMs: () => this.nowMs }, random: () => 0 })
  }

  pass(ms: number): void {
    this.nowMs += ms
    this.swarm.tick()
  }
}

/** A peer that has everything, or what it says, and lets the downloader ask. */
class Peer {
  /** What it was asked for and has not been released from. */
  asked: Block[] = []
  readonly end: SwarmEnd
  /** How often it was said to have brought something. */
  praiseCount = 0

  constructor({ swarm }: Downloader, says = encodeMessage(ID.haveAll), isProven = false) {
    const end = swarm.join({
      name: 'peer',
      fast: true,
      extended: true,
      backlogLength: 0,
      backlogLengthMax: 1,
      isProven,
      send: (parts) => this.#onSent(parts),
      onBrought: () => {
        this.praiseCount += 1
      },
      drop: assert.fail,
    })
    assert.ok(end !== null)
    this.end = end
    this.end.receive(Buffer.concat([says, encodeMessage(ID.unchoke)]))
  }

  #onSent(parts: readonly Uint8Array[]): void {
    for (const message of parseMessages(Buffer.concat(parts))) {
      if (message.type === 'request') this.asked.push(message)
      if (message.type === 'cancel')
        this.asked = this.asked.filter(({ index, offset }) => index !== message.index || offset !== message.offset)
    }
  }

  /** Will not bring what it is asked for. */
  reject(): void {
    for (const { index, offset, length } of this.asked.splice(0))
      this.end.receive(encodeMessage(ID.reject, index, offset, length))
  }

  /** Brings what it is asked for, at most `count` blocks. */
  serve(count = Number.POSITIVE_INFINITY): void {
    for (let served = 0; served < count; served++) {
      const block = this.asked.shift()
      if (block === undefined) return
      const start = 2 * BLOCK_LENGTH * block.index + block.offset
      const bytes = CONTENT.subarray(start, start + block.length)
      this.end.receive(Buffer.concat([encodePieceHead(block), bytes]))
    }
  }
}

test('who never brought anything waits for nobody of his kind to leave: the longer nothing comes, the more are asked for the same', async () => {
  const downloader = new Downloader()
  const mute = Array.from({ length: 2 }, () => new Peer(downloader))
  assert.equal(mute.flatMap(({ asked }) => asked).length, BLOCK_COUNT)
  const others = Array.from({ length: 50 }, () => new Peer(downloader))
  downloader.pass(DOWNLOAD_TRY_MS / 2)
  const counts = [0, 1, 2, 3].map(() => {
    const { length } = others.filter(({ asked }) => asked.length > 0)
    downloader.pass(DOWNLOAD_TRY_MS)
    return length
  })
  assert.deepEqual(counts, [0, BLOCK_COUNT, 3 * BLOCK_COUNT, 7 * BLOCK_COUNT])
  assert.deepEqual(
    others.filter(({ asked }) => asked.length !== 1),
    [],
  )
  others[49]?.serve()
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(downloader.isDone, true)
})

test('who has brought something is asked for what those hold who have not, once that is late, though others are still to be begun', () => {
  const downloader = new Downloader(3)
  const [honest, mute] = [new Peer(downloader, FIRST_TWO), new Peer(downloader, FIRST_TWO)]
  const held = mute.asked
  assert.deepEqual([honest.asked.length, held.length], [2, 2])
  honest.serve()
  downloader.pass(TAKEN_OVER_MS_MIN - 10)
  assert.deepEqual(honest.asked, [])
  downloader.pass(20)
  assert.deepEqual(honest.asked, held)
})

for (const [tookMs, lateMs] of [
  [20, 80],
  [100, TAKEN_OVER_MS_MAX],
] as const) {
  test(`who takes ${tookMs} ms for a block is asked for what is ${lateMs} ms late`, () => {
    const downloader = new Downloader(3)
    const [honest, mute] = [new Peer(downloader, FIRST_TWO), new Peer(downloader, FIRST_TWO)]
    downloader.pass(tookMs)
    honest.serve()
    downloader.pass(lateMs - tookMs - 5)
    assert.deepEqual(honest.asked, [])
    downloader.pass(10)
    assert.deepEqual(honest.asked, mute.asked)
  })
}

test('who has brought something of another torrent is asked for what those hold who have brought nothing, though it has not brought any of this one', () => {
  const downloader = new Downloader()
  const mute = Array.from({ length: 2 }, () => new Peer(downloader))
  downloader.pass(DOWNLOAD_TRY_MS - 10)
  const proven = new Peer(downloader, encodeMessage(ID.haveAll), true)
  assert.deepEqual(proven.asked, [])
  downloader.pass(20)
  assert.deepEqual(proven.asked, mute.flatMap(({ asked }) => asked).slice(0, 2))
})

test('of those that have brought something of another torrent none takes what another of them was asked for', () => {
  const downloader = new Downloader()
  const proven = Array.from({ length: 8 }, () => new Peer(downloader, encodeMessage(ID.haveAll), true))
  const asked = (): number => proven.flatMap((peer) => peer.asked).length
  assert.equal(asked(), BLOCK_COUNT)
  downloader.pass(DOWNLOAD_TRY_MS + 10)
  // One more is tried with each block, as with peers of which nothing is known.
  assert.equal(asked(), 2 * BLOCK_COUNT)
})

test('a block that comes after another peer was asked for it counts for who brings it', () => {
  const downloader = new Downloader(3)
  const [near, far] = [new Peer(downloader, FIRST_TWO), new Peer(downloader, FIRST_TWO)]
  const onTheirWay = [...far.asked]
  near.serve()
  downloader.pass(TAKEN_OVER_MS_MIN + 10)
  near.serve()
  far.asked = onTheirWay
  far.serve()
  far.end.receive(encodeMessage(ID.have, 2))
  assert.equal(far.asked.length, 2)
})

test('who let go what he was asked for is mute as before, and asked for nothing more for a second while others bring something', async () => {
  const downloader = new Downloader(3)
  const [honest, passed] = [new Peer(downloader, FIRST_TWO), new Peer(downloader, FIRST_TWO)]
  honest.serve()
  downloader.pass(TAKEN_OVER_MS_MIN + 10)
  honest.serve()
  await new Promise((resolve) => setImmediate(resolve))
  const held = [...passed.asked]
  passed.end.receive(encodeMessage(ID.have, 2))
  assert.deepEqual([passed.asked, held.length], [held, 2])
  assert.equal(passed.end.isMute(), false)
  downloader.pass(LATE_MS)
  assert.equal(passed.end.isMute(), true)
  passed.reject()
  downloader.pass(10)
  assert.deepEqual(passed.asked, [])
  downloader.pass(DOWNLOAD_MUTE_MS)
  assert.equal(passed.asked.length, 2)
  passed.serve()
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(downloader.isDone, true)
})

test('one that was silent, and takes back what it was asked for, is asked again', () => {
  const downloader = new Downloader(3)
  const [silent, other] = [new Peer(downloader, FIRST_TWO), new Peer(downloader, FIRST_TWO)]
  downloader.pass(PEER_UNTRIED_SNUB_MS + 10)
  assert.equal(silent.asked.length, 1)
  silent.reject()
  other.end.closed()
  assert.equal(silent.asked.length, 1)
})

test('nothing is taken from one who has brought something as long as others are to be begun', () => {
  const downloader = new Downloader(3)
  const [quick, slow] = [new Peer(downloader, FIRST_TWO), new Peer(downloader, FIRST_TWO)]
  slow.serve(1)
  quick.serve()
  downloader.pass(TAKEN_OVER_MS_MAX + 10)
  assert.deepEqual([quick.asked.length, slow.asked.length], [0, 1])
})

test('what mute peers were asked for one after the other is late from the first time', async () => {
  const downloader = new Downloader()
  const honest = new Peer(downloader)
  for (let count = 0; count < 3; count++) {
    const mute = new Peer(downloader)
    assert.equal(mute.asked.length, BLOCK_COUNT / 2)
    downloader.pass(LATE_MS / 2)
    mute.end.closed()
  }
  new Peer(downloader)
  honest.serve()
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(downloader.isDone, true)
})

test('a peer counts as one that brings something, once, from its first block on that was lacking', () => {
  const downloader = new Downloader(3)
  const [late, honest] = [new Peer(downloader, FIRST_TWO), new Peer(downloader, FIRST_TWO)]
  downloader.pass(PEER_UNTRIED_SNUB_MS + 10)
  honest.serve()
  assert.deepEqual([late.asked.length, honest.praiseCount], [1, 1])
  late.serve()
  assert.equal(late.praiseCount, 0)
  late.end.receive(encodeMessage(ID.have, 2))
  late.serve()
  assert.equal(late.praiseCount, 1)
})
