// Goal: a peer of a swarm that says over and over what it has, whether it chokes and whether it is interested, or what changes nothing, is dropped, one that says so
// as often as programs do in a crowd is not.
// Method: one member whose links are stubs, on a clock that the test sets.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeInfo } from '../../engine/index.ts'
import {
  BLOCK_REQUEST_COUNT_MAX,
  INTEREST_BURST_COUNT,
  NEEDLESS_BURST_COUNT,
  STATE_BURST_COUNT,
} from '../../net/limits.ts'
import { Bitfield } from '../../net/swarm/bitfield.ts'
import { Swarm, type SwarmEnd } from '../../net/swarm/swarm.ts'
import { encodeBytesMessage, encodeMessage, ID } from '../../net/swarm/wire-messages.ts'
import { checkTorrent, sha1 } from '../../net/torrent.ts'

const PIECE_COUNT = 2_048
const PIECE_LENGTH = 16_384
const LENGTH = PIECE_COUNT * PIECE_LENGTH

const info = encodeInfo({
  name: 'x',
  length: LENGTH,
  pieceLength: PIECE_LENGTH,
  pieces: Buffer.alloc(20 * PIECE_COUNT),
})
const TORRENT = checkTorrent({ info, infohash: sha1(info), lengthBytes: LENGTH, pieceLengthBytes: PIECE_LENGTH })

class Scene {
  nowMs = 0
  /** Why the peer was dropped. */
  readonly reasons: string[] = []
  readonly peer: SwarmEnd

  /** @param isSource the member has everything */
  constructor(isSource: boolean) {
    const all = Bitfield.full(PIECE_COUNT)
    const none = new Bitfield(PIECE_COUNT)
    const options = {
      torrent: TORRENT,
      source: { read: async () => assert.fail('nothing is asked for') },
      write: isSource ? null : async () => {},
      have: isSource ? all : none,
      wanted: isSource ? none : all,
      onPiece: () => {},
      onDone: () => {},
      onFailure: () => {},
    }
    const swarm = new Swarm(options, { clock: { nowMs: () => this.nowMs }, random: () => 0 })
    const end = swarm.join({
      name: 'talkative',
      fast: true,
      extended: true,
      backlogLength: 0,
      backlogLengthMax: 1,
      send: () => {},
      drop: (reason) => this.reasons.push(reason),
    })
    assert.ok(end !== null)
    this.peer = end
  }

  say(...messages: readonly Uint8Array[]): void {
    this.peer.receive(Buffer.concat(messages))
  }
}

const [CHOKE, UNCHOKE] = [encodeMessage(ID.choke), encodeMessage(ID.unchoke)]
const [INTERESTED, NOT_INTERESTED] = [encodeMessage(ID.interested), encodeMessage(ID.notInterested)]
const bitfieldOf = (count: number): Uint8Array => {
  const pieces = new Bitfield(PIECE_COUNT)
  for (let index = 0; index < count; index++) pieces.set(index)
  return encodeBytesMessage(ID.bitfield, pieces.bytes)
}

/** What is repeated, and how often at once it may be. */
const REPEATED: Readonly<Record<string, readonly [readonly Uint8Array[], number]>> = {
  'have all': [[encodeMessage(ID.haveAll)], STATE_BURST_COUNT],
  'have none': [[encodeMessage(ID.haveNone)], STATE_BURST_COUNT],
  bitfield: [[bitfieldOf(1)], STATE_BURST_COUNT],
  unchoke: [[UNCHOKE], STATE_BURST_COUNT],
  'choke and unchoke': [[CHOKE, UNCHOKE], STATE_BURST_COUNT],
  interested: [[INTERESTED], INTEREST_BURST_COUNT],
  'interested and not': [[INTERESTED, NOT_INTERESTED], INTEREST_BURST_COUNT],
  'a request while it is choked': [[encodeMessage(ID.request, 0, 0, PIECE_LENGTH)], NEEDLESS_BURST_COUNT],
  'a cancel of what it did not ask for': [[encodeMessage(ID.cancel, 0, 0, PIECE_LENGTH)], NEEDLESS_BURST_COUNT],
  'a reject of what it was not asked for': [[encodeMessage(ID.reject, 0, 0, PIECE_LENGTH)], NEEDLESS_BURST_COUNT],
  suggest: [[encodeMessage(ID.suggest, 0)], NEEDLESS_BURST_COUNT],
}

for (const [name, [messages, countMax]] of Object.entries(REPEATED)) {
  test(`who repeats ${name} is dropped, by a source and by one that downloads`, () => {
    for (const isSource of [true, false]) {
      const scene = new Scene(isSource)
      const round = Buffer.concat(messages)
      for (let count = 0; count < countMax; count += messages.length) scene.say(round)
      assert.deepEqual(scene.reasons, [])
      scene.say(round)
      assert.equal(scene.reasons.length, 1)
    }
  })
}

test('who follows each of 2,048 pieces with its interest at once, and chokes and tells of all in turns, is not dropped', () => {
  for (const isSource of [true, false]) {
    const scene = new Scene(isSource)
    scene.say(encodeMessage(ID.haveNone))
    for (let index = 0; index < PIECE_COUNT; index++) scene.say(INTERESTED, NOT_INTERESTED)
    // As aria2 does, when a bitfield is shorter than the haves that it stands for.
    for (let count = 29; count < PIECE_COUNT; count += 29) scene.say(bitfieldOf(count))
    // Who has become complete says so late.
    scene.say(encodeMessage(ID.haveAll))
    for (let count = 0; count < 360; count++) {
      scene.nowMs += 10_000
      scene.say(CHOKE, NOT_INTERESTED)
      scene.say(UNCHOKE, INTERESTED)
    }
    assert.deepEqual(scene.reasons, [])
  }
})

test('who says again that it has a piece is dropped', () => {
  for (const isSource of [true, false]) {
    const scene = new Scene(isSource)
    const have = encodeMessage(ID.have, 0)
    for (let count = 0; count <= NEEDLESS_BURST_COUNT; count++) scene.say(have)
    assert.deepEqual(scene.reasons, [])
    scene.say(have)
    assert.equal(scene.reasons.length, 1)
  }
})

test('who is choked with a full pipeline, and asks and cancels on until it hears of it, is not dropped', () => {
  for (const isSource of [true, false]) {
    const scene = new Scene(isSource)
    for (let round = 0; round < 360; round++) {
      scene.nowMs += 10_000
      for (let index = 0; index < 2 * BLOCK_REQUEST_COUNT_MAX; index++) {
        scene.say(encodeMessage(ID.request, index, 0, PIECE_LENGTH), encodeMessage(ID.cancel, index, 0, PIECE_LENGTH))
      }
    }
    assert.deepEqual(scene.reasons, [])
  }
})
