// Goal: peers that bring nothing keep no other peer from being tried, and no block from one that brings something, however many come and go.
// Method: one member that downloads a single piece, whose links are stubs, on a clock that the test sets.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bitfield } from '../../net/swarm/bitfield.ts'
import { Swarm, type SwarmEnd } from '../../net/swarm/swarm.ts'
import {
  BLOCK_LENGTH,
  type Block,
  encodeMessage,
  encodePieceHead,
  ID,
  parseMessages,
} from '../../net/swarm/wire-messages.ts'
import { checkTorrent } from '../../net/torrent.ts'
import { bytesOf, torrentOf } from './fixtures.ts'

const BLOCK_COUNT = 4
const CONTENT = bytesOf('content', BLOCK_COUNT * BLOCK_LENGTH)
/** So late is a block to be asked of others, brought something or not. */
const LATE_MS = 410

class Downloader {
  nowMs = 1_000
  isDone = false
  readonly swarm: Swarm

  constructor() {
    const options = {
      torrent: checkTorrent(torrentOf(CONTENT, CONTENT.length)),
      source: { read: async () => assert.fail('nothing is asked for') },
      write: async () => {},
      have: new Bitfield(1),
      wanted: Bitfield.full(1),
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

/** A peer that has everything and lets the downloader ask. */
class Peer {
  /** What it was asked for and has not been released from. */
  asked: Block[] = []
  readonly end: SwarmEnd

  constructor({ swarm }: Downloader) {
    const end = swarm.join({
      name: 'peer',
      fast: true,
      extended: true,
      backlogLength: 0,
      backlogLengthMax: 1,
      send: (parts) => this.#onSent(parts),
      drop: assert.fail,
    })
    assert.ok(end !== null)
    this.end = end
    this.end.receive(Buffer.concat([encodeMessage(ID.haveAll), encodeMessage(ID.unchoke)]))
  }

  #onSent(parts: readonly Uint8Array[]): void {
    for (const message of parseMessages(Buffer.concat(parts))) {
      if (message.type === 'request') this.asked.push(message)
      if (message.type === 'cancel') this.asked = this.asked.filter(({ offset }) => offset !== message.offset)
    }
  }

  /** Brings all it is asked for, until that is nothing more. */
  serve(): void {
    for (let block = this.asked.shift(); block !== undefined; block = this.asked.shift()) {
      const bytes = CONTENT.subarray(block.offset, block.offset + block.length)
      this.end.receive(Buffer.concat([encodePieceHead(block), bytes]))
    }
  }
}

test('who never brought anything waits for nobody of his kind to leave: each is asked for a block that is late', async () => {
  const downloader = new Downloader()
  const mute = Array.from({ length: 2 }, () => new Peer(downloader))
  assert.equal(mute.flatMap(({ asked }) => asked).length, BLOCK_COUNT)
  const others = Array.from({ length: 50 }, () => new Peer(downloader))
  downloader.pass(LATE_MS / 2)
  assert.deepEqual(
    others.filter(({ asked }) => asked.length > 0),
    [],
  )
  downloader.pass(LATE_MS / 2)
  assert.deepEqual(
    others.filter(({ asked }) => asked.length !== 1),
    [],
  )
  others[49]?.serve()
  // What the others were asked for is late as well.
  downloader.pass(LATE_MS)
  others[49]?.serve()
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(downloader.isDone, true)
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
