/**
 * Goal: the honest peer is heard however many others came first, answers that are on their way are not slowed down by more
 * questions, and many peers with long answers take bounded memory.
 * Method: peers that answer as they are told, and a clock that the test turns.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { CHAIN_ANSWER_LENGTH_ALL_MAX, CHAIN_ANSWER_LENGTH_MAX, PEER_WAIT_MS } from '../../helper/limits.ts'
import { askPeers } from '../../helper/share/supply/ask-peers.ts'
import { type Asking, lookAt, noneAsked, pauseBeatCountOf } from '../../helper/share/supply/asking.ts'
import {
  CHAIN_ALIVE_LENGTH,
  CHAIN_BEAT_MS,
  CHAIN_COMING_COUNT_MAX,
  CHAIN_PAUSE_MS,
  CHAIN_PAUSE_MS_MIN,
  CHAIN_PEER_COUNT_MAX,
} from '../../helper/share/supply/limits.ts'
import { openTrace } from '../../helper/trace.ts'
import type { Topic, TopicPeer } from '../../net/index.ts'

type Behaviour = 'silent' | 'garbage' | 'empty' | 'honest' | 'comes' | 'late'

class FakePeer {
  readonly remote: { readonly host: string; readonly port: number }
  receivedLength = 0
  isAsked = false
  isDismissed = false
  isGivenUp = false
  greetedMs: number | null = null
  leave: () => void = () => {}
  answer: () => void = () => {}
  readonly #behaviour: Behaviour

  constructor(behaviour: Behaviour, host = '127.0.0.1') {
    this.#behaviour = behaviour
    this.remote = { host, port: 1 }
  }

  request(_kind: string, _payload: Uint8Array, { signal }: { signal?: AbortSignal }): Promise<Uint8Array> {
    this.isAsked = true
    if (this.#behaviour === 'honest') return Promise.resolve(Buffer.from('good'))
    if (this.#behaviour === 'empty') return Promise.resolve(Buffer.from('none'))
    if (this.#behaviour === 'garbage') return Promise.resolve(Buffer.from('bad'))
    return new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => {
        this.isGivenUp = true
        reject(new Error('given up'))
      })
      this.leave = () => reject(new Error('gone'))
      if (this.#behaviour === 'late') this.answer = () => resolve(Buffer.from('good'))
    })
  }

  dismiss(): void {
    this.isDismissed = true
  }
}

/** A topic where who is dismissed gives up its place to who has none yet. */
function topicOf(crowd: readonly FakePeer[], placeCount: number): Topic {
  const placed: FakePeer[] = []
  let placedCount = 0
  const peers = (): FakePeer[] => {
    for (let next = crowd[placedCount]; next !== undefined; next = crowd[placedCount]) {
      const leaving = placed.findIndex(({ isDismissed }) => isDismissed)
      if (placed.length >= placeCount && leaving < 0) break
      if (placed.length >= placeCount) for (const gone of placed.splice(leaving, 1)) gone.leave()
      placed.push(next)
      placedCount++
    }
    return placed
  }
  return { peers, isMeeting: false, onPeer: () => () => {} } as unknown as Topic
}

/** Asks `peers` and turns the clock until an answer is found or so many milliseconds have gone; returns what was found. */
async function ask(
  t: TestContext,
  peers: readonly FakePeer[],
  durationMsMax: number,
  {
    onPause = () => {},
    onBeat = () => {},
    placeCount = 1_000,
  }: { onPause?: (pauseCount: number) => void; onBeat?: () => void; placeCount?: number } = {},
) {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  const end = new AbortController()
  let answers: readonly { answer: string }[] | null = null
  const asked = askPeers(topicOf(peers, placeCount), {
    payload: Buffer.from('question'),
    decode: (bytes) => {
      const text = Buffer.from(bytes).toString()
      if (text === 'bad') throw new Error(`expected good, got ${text}`)
      return text
    },
    isUsable: (answer) => answer === 'good',
    asking: noneAsked<string>(),
    signal: end.signal,
    trace: openTrace({}),
  }).then((found) => (answers = found))
  for (let nowMs = 0; nowMs < durationMsMax && answers === null; nowMs += CHAIN_BEAT_MS) {
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
    if (nowMs % CHAIN_PAUSE_MS === 0) onPause(nowMs / CHAIN_PAUSE_MS)
    onBeat()
    t.mock.timers.tick(CHAIN_BEAT_MS)
  }
  end.abort()
  await asked
  t.mock.timers.reset()
  return answers as readonly { answer: string }[] | null
}

/** A crowd of these, one after the other, and an honest peer that is met last. */
const beforeHonest = (...kinds: Behaviour[]): FakePeer[] => [
  ...Array.from({ length: 130 }, (_, index) => new FakePeer(kinds[index % kinds.length] ?? 'silent')),
  new FakePeer('honest'),
]

for (const kinds of [['silent'], ['garbage'], ['empty'], ['silent', 'garbage', 'empty']] as const) {
  test(`130 peers of which all are ${kinds.join(' or ')}, on 64 places, keep nobody from being heard in 0.9 s`, async (t) => {
    const peers = beforeHonest(...kinds)
    const found = await ask(t, peers, 900, { placeCount: 64 })
    assert.ok(found?.some(({ answer }) => answer === 'good'))
  })
}

/** Milliseconds until an honest peer is heard behind a crowd of which all have greeted us so soon, but for the first few. */
async function heardAfterMs(t: TestContext, greetedMs: number | null, liarCount = 0): Promise<number> {
  const peers = beforeHonest('silent')
  for (const peer of peers) peer.greetedMs = greetedMs
  for (const peer of peers.slice(0, liarCount)) peer.greetedMs = 1
  let beatCount = 0
  const onBeat = (): void => {
    beatCount += 1
  }
  const found = await ask(t, peers, 2_000, { onBeat, placeCount: 64 })
  assert.ok(found?.some(({ answer }) => answer === 'good'))
  return beatCount * CHAIN_BEAT_MS
}

test('near peers are waited for half as long as far ones, and a few that pretend to be near change nothing', async (t) => {
  const farMs = await heardAfterMs(t, 1_000)
  assert.equal(await heardAfterMs(t, null), farMs)
  assert.equal(await heardAfterMs(t, 1_000, 2), farMs)
  const nearMs = await heardAfterMs(t, 10)
  // Two pauses until all places are asked; the places are lost as late as those of far ones.
  assert.equal(nearMs, farMs - 2 * (CHAIN_PAUSE_MS - CHAIN_PAUSE_MS_MIN) + CHAIN_BEAT_MS)
  const betweenMs = await heardAfterMs(t, 75)
  assert.ok(betweenMs >= nearMs && betweenMs < farMs, `${betweenMs}`)
})

/** Has a peer that greeted us so soon be asked. */
function openQuestion(asking: Asking<string>, greetedMs: number): FakePeer {
  const peer = new FakePeer('comes')
  asking.open.add({
    peer: peer as unknown as TopicPeer,
    lengthBefore: 0,
    length: 0,
    lengthAtPause: 0,
    isSlow: false,
    isKept: false,
    pauseBeatCount: pauseBeatCountOf(greetedMs),
    beatCount: 0,
    slowBeatCount: 0,
    giveUp: () => {},
  })
  return peer
}

test('a near peer is slow sooner than a far one beside it, and both lose their places as late', () => {
  const asking = noneAsked<string>()
  const peers = [10, 1_000].map((greetedMs) => openQuestion(asking, greetedMs))
  const looks = Array.from({ length: CHAIN_PAUSE_MS / CHAIN_BEAT_MS }, () => {
    lookAt(asking)
    return [asking.useless.size, peers.filter(({ isDismissed }) => isDismissed).length]
  })
  assert.deepEqual(looks, [
    [0, 0],
    [1, 0],
    [1, 0],
    [2, 2],
  ])
})

test('a near peer whose answer comes keeps its place through one short pause in which nothing came', () => {
  const asking = noneAsked<string>()
  const peer = openQuestion(asking, 10)
  const pauseBeatCount = pauseBeatCountOf(10)
  for (const comesLength of [CHAIN_ALIVE_LENGTH, 0, CHAIN_ALIVE_LENGTH, 0, CHAIN_ALIVE_LENGTH]) {
    peer.receivedLength += comesLength
    for (let beat = 0; beat < pauseBeatCount; beat++) lookAt(asking)
  }
  assert.equal(peer.isDismissed, false)
  for (let beat = 0; beat < 2 * pauseBeatCount; beat++) lookAt(asking)
  assert.equal(peer.isDismissed, true)
})

test('nor do 130 that say a little now and then', async (t) => {
  const peers = beforeHonest('comes')
  const onPause = (): void => {
    for (const peer of peers) peer.receivedLength += 100
  }
  const found = await ask(t, peers, 900, { onPause, placeCount: 64 })
  assert.ok(found?.some(({ answer }) => answer === 'good'))
})

test('who is slow to answer is heard as long as its place is wanted by nobody', async (t) => {
  const crowd = Array.from({ length: 63 }, () => new FakePeer('silent'))
  const slow = new FakePeer('late')
  const onPause = (pauseCount: number): void => {
    if (pauseCount === 8) slow.answer()
  }
  const found = await ask(t, [...crowd, slow], 2_500, { onPause, placeCount: 64 })
  assert.ok(found?.some(({ answer }) => answer === 'good'))
})

test('the first that were asked keep their places although others want them', async (t) => {
  const slow = new FakePeer('late')
  const onPause = (pauseCount: number): void => {
    if (pauseCount === 8) slow.answer()
  }
  const found = await ask(t, [slow, ...Array.from({ length: 150 }, () => new FakePeer('silent'))], 2_500, {
    onPause,
    placeCount: 64,
  })
  assert.ok(found?.some(({ answer }) => answer === 'good'))
})

test('silence is over after as long as anybody waits for a peer', async (t) => {
  const silent = Array.from({ length: 3 }, () => new FakePeer('silent'))
  assert.deepEqual(await ask(t, silent, PEER_WAIT_MS + CHAIN_PAUSE_MS), [])
})

test('one question after the other goes to where fewest were asked: first one of each network, then of each host', async (t) => {
  const of = (host: string, count: number): FakePeer[] =>
    Array.from({ length: count }, () => new FakePeer('comes', host))
  const [crowd, neighbour, stranger] = [of('192.0.2.1', 40), of('192.0.2.9', 1), of('198.51.100.7', 1)]
  await ask(t, [...crowd, ...neighbour, ...stranger], CHAIN_BEAT_MS)
  assert.ok([...neighbour, ...stranger].every(({ isAsked }) => isAsked))
  assert.equal(crowd.filter(({ isAsked }) => isAsked).length, CHAIN_PEER_COUNT_MAX - 2)
})

test('who comes while others that know nothing come is waited for', async (t) => {
  const crowd = Array.from({ length: 5 }, () => new FakePeer('empty'))
  const there = crowd.slice(0, 1)
  const onPause = (pauseCount: number): void => {
    if (pauseCount < 4) there.push(...crowd.slice(pauseCount + 1, pauseCount + 2))
    else there.push(new FakePeer('honest'))
  }
  const found = await ask(t, there, 2_500, { onPause })
  assert.ok(found?.some(({ answer }) => answer === 'good'))
})

test('no more than so many answers come at once', async (t) => {
  const crowd = Array.from({ length: 200 }, () => new FakePeer('comes'))
  const counts: number[] = []
  const onPause = (): void => {
    counts.push(crowd.filter(({ receivedLength, isGivenUp }) => receivedLength > 0 && !isGivenUp).length)
    for (const peer of crowd) if (peer.isAsked) peer.receivedLength += CHAIN_ALIVE_LENGTH
  }
  await ask(t, crowd, 3_000, { onPause })
  assert.equal(Math.max(...counts), CHAIN_COMING_COUNT_MAX)
  assert.ok(crowd.filter(({ isGivenUp }) => isGivenUp).length > 0)
})

test('while an answer comes nobody else is asked, but not for ever', async (t) => {
  const crowd = Array.from({ length: 20 }, () => new FakePeer('comes'))
  const counts: number[] = []
  const onPause = (): void => {
    for (const peer of crowd.slice(0, 1)) peer.receivedLength += 20_000
    counts.push(crowd.filter(({ isAsked }) => isAsked).length)
  }
  await ask(t, crowd, 3_000, { onPause })
  assert.deepEqual(counts.slice(0, 7), Array(7).fill(CHAIN_PEER_COUNT_MAX))
  assert.equal(counts.at(-1), crowd.length)
})

/** Answers of these lengths, from a peer each; only that of `usableLength` is of use. */
async function lengthsKept(lengths: readonly number[], usableLength: number): Promise<number[]> {
  const peers = lengths.map((length) => ({
    remote: { host: '192.0.2.1', port: 1 },
    receivedLength: 0,
    greetedMs: null,
    dismiss: () => {},
    request: async (_: string, __: Uint8Array, { responseLengthMax }: { responseLengthMax: number }) => {
      assert.equal(responseLengthMax, CHAIN_ANSWER_LENGTH_MAX)
      return new Uint8Array(length)
    },
  }))
  const topic = { peers: () => peers as unknown as TopicPeer[], onPeer: () => () => {} } as unknown as Topic
  const answers = await askPeers(topic, {
    payload: new Uint8Array(0),
    decode: (bytes) => bytes.length,
    isUsable: (length) => length === usableLength,
    asking: noneAsked<number>(),
    signal: new AbortController().signal,
    trace: openTrace({}),
  })
  return answers.map(({ answer }) => answer)
}

test('of answers that have too many bytes together the longest are passed over, whenever they come', async () => {
  const long = Array.from({ length: 12 }, (_, index) => CHAIN_ANSWER_LENGTH_MAX - index)
  for (const lengths of [
    [...long, 1000],
    [1000, ...long],
  ]) {
    const kept = await lengthsKept(lengths, 1000)
    assert.ok(kept.includes(1000))
    assert.ok(kept.reduce((sum, length) => sum + length, 0) <= CHAIN_ANSWER_LENGTH_ALL_MAX)
  }
  const all = await lengthsKept(long, 0)
  assert.ok(all.length > 0 && all.reduce((sum, length) => sum + length, 0) <= CHAIN_ANSWER_LENGTH_ALL_MAX)
})

test('an answer much longer than one of use is not read before that has failed', async () => {
  const peerWith = (length: number, later: Promise<unknown>) => ({
    remote: { host: '192.0.2.1', port: length },
    receivedLength: 0,
    greetedMs: null,
    dismiss: () => {},
    request: async () => {
      await later
      return new Uint8Array(length)
    },
  })
  const turn = new Promise((resolve) => setImmediate(resolve))
  const [quick, similar, long] = [peerWith(1_000, Promise.resolve()), peerWith(50_000, turn), peerWith(600_000, turn)]
  const topic = {
    peers: () => [quick, similar, long] as unknown as TopicPeer[],
    isMeeting: false,
    onPeer: () => () => {},
  } as unknown as Topic
  const read: number[] = []
  const question = {
    payload: new Uint8Array(0),
    decode: (bytes: Uint8Array) => {
      read.push(bytes.length)
      return bytes.length
    },
    isUsable: () => true,
    asking: noneAsked<number>(),
    signal: new AbortController().signal,
    trace: openTrace({}),
  }
  await askPeers(topic, question)
  assert.deepEqual(read, [1_000, 50_000])
  await askPeers(topic, question)
  assert.deepEqual(read, [1_000, 50_000, 600_000])
})
