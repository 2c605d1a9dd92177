// Goal: a peer hears in time of the pieces that come, in few packets, and of none that it does not need to hear of.
// Method: one member of the simulated network between a source and peers that the test plays; times are virtual, so they are exact.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type SimulatedMember, SimulatedNetwork } from '../../bench/simulated-network.ts'
import { encodeHello } from '../../net/swarm/extension.ts'
import type { HaveNeed } from '../../net/swarm/haves.ts'
import type { SwarmEnd } from '../../net/swarm/swarm.ts'
import { encodeExtended, encodeMessage, encodePieceHead, ID, parseMessages } from '../../net/swarm/wire-messages.ts'

const PIECE_LENGTH = 16_384
const PIECE_COUNT = 12
/** Time between two beats of a member. */
const BEAT_MS = 50

/** What a peer was sent in one go. */
interface Said {
  readonly atMs: number
  readonly haves: readonly number[]
  readonly others: readonly string[]
}

class Scene {
  readonly said: Said[] = []
  readonly #network = new SimulatedNetwork(1, PIECE_COUNT * PIECE_LENGTH, PIECE_LENGTH)
  readonly #member: SimulatedMember
  readonly #source: SwarmEnd
  readonly #peer: SwarmEnd

  /** @param need what the peer that is listened to says in its hello */
  constructor(need: HaveNeed) {
    this.#member = this.#network.add('member', { upRate: 1e6, downRate: 1e6, delayMs: 1, lossShare: 0 })
    this.#source = this.#join('all-late', () => {})
    this.#source.receive(encodeMessage(ID.unchoke))
    this.#peer = this.#join(need, (said) => this.said.push(said))
  }

  #join(need: HaveNeed, onSaid: (said: Said) => void): SwarmEnd {
    const { timeline } = this.#network
    const end = this.#member.swarm.join({
      name: 'played',
      fast: true,
      extended: true,
      backlogLength: 0,
      backlogLengthMax: 1,
      send: (parts) => {
        const messages = parts.flatMap((part) => parseMessages(part))
        const haves = messages.flatMap((message) => (message.type === 'have' ? [message.index] : []))
        const others = messages.flatMap(({ type }) => (type === 'have' ? [] : [type]))
        onSaid({ atMs: timeline.nowMs, haves, others })
      },
      drop: (reason) => assert.fail(reason),
    })
    assert.ok(end !== null)
    end.receive(encodeMessage(ID.haveNone))
    end.receive(encodeExtended(0, encodeHello(100, false, need)))
    return end
  }

  /** Another member of the crowd, which serves nobody, has the pieces. */
  addHolder(indexes: readonly number[]): void {
    const holder = this.#join('lacking', () => {})
    for (const index of indexes) holder.receive(encodeMessage(ID.have, index))
  }

  /** The source brings a piece at a time. */
  bringAt(atMs: number, index: number): void {
    this.#network.timeline.at(atMs, () => this.bring(this.#source, index))
  }

  bring(end: SwarmEnd, index: number): void {
    const block = { index, offset: 0, length: PIECE_LENGTH }
    const bytes = this.#network.content.subarray(index * PIECE_LENGTH, (index + 1) * PIECE_LENGTH)
    end.receive(encodeMessage(ID.have, index))
    end.receive(Buffer.concat([encodePieceHead(block), bytes]))
  }

  /** Peers that have neither brought nor taken anything, and are like the one that is listened to. */
  addUntried(count: number, need: HaveNeed): void {
    for (let added = 0; added < count; added++) this.#join(need, () => {})
  }

  /** The peer that is listened to says something. */
  sayAt(atMs: number, ...messages: readonly Uint8Array[]): void {
    this.#network.timeline.at(atMs, () => this.#peer.receive(Buffer.concat(messages)))
  }

  /** The peer that is listened to shows and brings a piece. */
  passAt(atMs: number, index: number): void {
    this.#network.timeline.at(atMs, () => this.bring(this.#peer, index))
  }

  /** Runs to a time; returns what the peer was sent about pieces after the first greeting. */
  async until(endMs: number): Promise<Said[]> {
    await this.#network.timeline.run(() => false, endMs)
    return this.said.filter(({ haves, others }) => haves.length > 0 || others.includes('have-all'))
  }
}

const ALL = Array.from({ length: PIECE_COUNT }, (_, index) => index)
/** Who has all is no downloader. */
const HELD = ALL.slice(0, -1)
const indexesOf = (said: readonly Said[]): (readonly number[])[] => said.map(({ haves }) => haves)

test('the first piece is told at once, others that have spread already together, half a second later', async () => {
  const scene = new Scene('lacking')
  scene.addHolder(HELD)
  for (const [count, atMs] of [1_000, 1_010, 1_200, 1_400].entries()) scene.bringAt(atMs, count)
  const said = await scene.until(3_000)
  assert.deepEqual(indexesOf(said), [[0], [1, 2, 3]])
  assert.equal(said[0]?.atMs, 1_000)
  const secondMs = said[1]?.atMs ?? 0
  assert.ok(secondMs >= 1_500 && secondMs <= 1_500 + BEAT_MS, `${secondMs}`)
})

test('what nobody else in the crowd has is told ten times a second, and takes along what waits', async () => {
  const scene = new Scene('lacking')
  scene.addHolder([1])
  for (const [count, atMs] of [1_000, 1_010, 1_020, 1_030].entries()) scene.bringAt(atMs, count)
  const said = await scene.until(3_000)
  assert.deepEqual(indexesOf(said), [[0], [1, 2, 3]])
  const secondMs = said[1]?.atMs ?? 0
  assert.ok(secondMs >= 1_100 && secondMs <= 1_100 + BEAT_MS, `${secondMs}`)
})

test('what waits goes along with the next request', async () => {
  const scene = new Scene('lacking')
  scene.addHolder(HELD)
  scene.sayAt(900, encodeMessage(ID.unchoke))
  scene.bringAt(1_000, 0)
  scene.bringAt(1_010, 1)
  scene.sayAt(1_100, encodeMessage(ID.have, 5))
  const said = await scene.until(3_000)
  assert.deepEqual(indexesOf(said), [[0], [1]])
  // The peer has something for the member for the first time.
  assert.equal(said[1]?.atMs, 1_100)
  assert.deepEqual(said[1]?.others, ['interested'])
  assert.ok(scene.said.some(({ atMs, others }) => atMs === 1_100 && others.includes('request')))
})

test('a peer is not told of a piece that it has, nor of one that it got while that waited; when nothing is lacking, of all', async () => {
  const scene = new Scene('lacking')
  scene.addHolder(HELD)
  scene.sayAt(900, encodeMessage(ID.have, 0), encodeMessage(ID.have, 1))
  scene.bringAt(1_000, 0)
  scene.bringAt(1_050, 2)
  scene.bringAt(1_100, 1)
  scene.bringAt(1_100, 3)
  scene.bringAt(1_100, 4)
  scene.sayAt(1_200, encodeMessage(ID.have, 3))
  assert.deepEqual(indexesOf(await scene.until(3_000)), [[2], [4]])
  for (const index of ALL.slice(5)) scene.bringAt(4_000, index)
  const last = (await scene.until(6_000)).filter(({ atMs }) => atMs >= 4_000)
  // The first of them at once, and then the end.
  assert.deepEqual(indexesOf(last), [[5], []])
  assert.deepEqual(last[1]?.others, ['have-all', 'not-interested'])
})

test('a source hears at once of what it showed, and late of what came from others', async () => {
  const scene = new Scene('all-late')
  scene.addHolder(HELD)
  scene.sayAt(900, encodeMessage(ID.unchoke))
  scene.bringAt(1_000, 0)
  scene.bringAt(1_010, 1)
  scene.bringAt(1_020, 2)
  scene.passAt(1_030, 3)
  scene.bringAt(1_040, 4)
  const said = await scene.until(3_000)
  // The request for piece 3 took along what waited.
  assert.deepEqual(indexesOf(said), [[0], [1, 2], [3], [4]])
  assert.deepEqual(
    said.slice(0, 3).map(({ atMs }) => atMs),
    [1_000, 1_030, 1_030],
  )
  const lastMs = said[3]?.atMs ?? 0
  assert.ok(lastMs >= 1_530 && lastMs <= 1_530 + BEAT_MS, `${lastMs}`)
})

test('other programs that have brought something hear of each piece at once', async () => {
  const scene = new Scene('all')
  scene.sayAt(800, encodeMessage(ID.unchoke))
  scene.passAt(900, 5)
  scene.sayAt(910, encodeMessage(ID.choke), encodeMessage(ID.have, 1))
  for (const [count, atMs] of [1_000, 1_010, 1_020].entries()) scene.bringAt(atMs, count)
  const said = await scene.until(3_000)
  assert.deepEqual(indexesOf(said), [[5], [0], [1], [2]])
  assert.deepEqual(
    said.map(({ atMs }) => atMs),
    [900, 1_000, 1_010, 1_020],
  )
})

test('who comes anew, and has neither brought nor taken anything, hears no sooner', async () => {
  const scene = new Scene('all')
  scene.addUntried(20, 'all')
  for (const [count, atMs] of [100, 110].entries()) scene.bringAt(atMs, count)
  const said = await scene.until(3_000)
  assert.deepEqual(indexesOf(said), [[0, 1]])
  const atMs = said[0]?.atMs ?? 0
  assert.ok(atMs >= 21 * 12 && atMs <= 21 * 12 + BEAT_MS, `${atMs}`)
})

for (const need of ['all', 'all-late'] as const) {
  test(`a peer that needs ${need}, and has neither brought nor taken anything, hears the later the more of those there are`, async () => {
    const timesOf = async (untriedCount: number): Promise<number[]> => {
      const scene = new Scene(need)
      scene.sayAt(0, ...ALL.map((index) => encodeMessage(ID.have, index)))
      scene.addUntried(untriedCount - 1, need)
      for (const index of HELD) scene.bringAt(1_000 + 20 * index, index)
      const said = await scene.until(3_000)
      assert.deepEqual(indexesOf(said).flat(), HELD)
      return said.map(({ atMs }) => atMs)
    }
    const [few, many] = [await timesOf(1), await timesOf(20)]
    assert.deepEqual(
      few,
      HELD.map((index) => 1_000 + 20 * index),
    )
    // By 12 ms for each of them, and to the next beat.
    assert.equal(many.length, 2)
    const laterMs = (many[1] ?? 0) - (many[0] ?? 0)
    assert.ok(laterMs >= 20 * 12 && laterMs <= 20 * 12 + BEAT_MS, `${laterMs}`)
  })
}
