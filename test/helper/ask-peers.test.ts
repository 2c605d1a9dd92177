/**
 * Goal: the honest peer is heard however many others came first, answers that are on their way are not slowed down by more
 * questions, and many peers with long answers take bounded memory.
 * Method: peers that answer as they are told, and a clock that the test turns.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import {
  CHAIN_ANSWER_LENGTH_ALL_MAX,
  CHAIN_ANSWER_LENGTH_MAX,
  CHAIN_PEER_COUNT_MAX,
  CHAIN_PEER_OPEN_COUNT_MAX,
  SOURCE_GRACE_MS,
} from '../../helper/limits.ts'
import { askPeers, noneAsked } from '../../helper/share/supply/ask-peers.ts'
import { openTrace } from '../../helper/trace.ts'
import type { Topic, TopicPeer } from '../../net/index.ts'

type Behaviour = 'silent' | 'garbage' | 'empty' | 'honest' | 'comes'

class FakePeer {
  readonly remote = { host: '127.0.0.1', port: 1 }
  receivedLength = 0
  isAsked = false
  isDismissed = false
  readonly #behaviour: Behaviour

  constructor(behaviour: Behaviour) {
    this.#behaviour = behaviour
  }

  request(_kind: string, _payload: Uint8Array, { signal }: { signal?: AbortSignal }): Promise<Uint8Array> {
    this.isAsked = true
    if (this.#behaviour === 'honest') return Promise.resolve(Buffer.from('good'))
    if (this.#behaviour === 'empty') return Promise.resolve(Buffer.from('none'))
    if (this.#behaviour === 'garbage') return Promise.resolve(Buffer.from('bad'))
    return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('given up'))))
  }

  dismiss(): void {
    this.isDismissed = true
  }
}

/** Asks `peers` and turns the clock by pauses until an answer is found or `pauseCountMax` have gone; returns what was found. */
async function ask(t: TestContext, peers: readonly FakePeer[], pauseCountMax: number, onPause: () => void = () => {}) {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  const topic = { peers: () => peers as unknown as TopicPeer[], onPeer: () => () => {} } as unknown as Topic
  const end = new AbortController()
  let answers: readonly { answer: string }[] | null = null
  const asked = askPeers(topic, {
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
  for (let pause = 0; pause < pauseCountMax && answers === null; pause++) {
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
    onPause()
    t.mock.timers.tick(SOURCE_GRACE_MS)
  }
  end.abort()
  await asked
  t.mock.timers.reset()
  return answers as readonly { answer: string }[] | null
}

test('a hundred silent peers and as many liars keep nobody from being heard within three seconds', async (t) => {
  const crowd = Array.from({ length: 200 }, (_, index) => new FakePeer(index % 2 === 0 ? 'silent' : 'garbage'))
  const found = await ask(t, [...crowd, new FakePeer('honest')], 3_000 / SOURCE_GRACE_MS)
  assert.deepEqual(
    found?.map(({ answer }) => answer),
    ['good'],
  )
  assert.ok(
    crowd.every(({ isDismissed }) => isDismissed),
    'their places are free',
  )
})

test('who answers well and has nothing of use gives up its place', async (t) => {
  const crowd = Array.from({ length: 100 }, () => new FakePeer('empty'))
  const found = await ask(t, [...crowd, new FakePeer('honest')], 3_000 / SOURCE_GRACE_MS)
  assert.ok(found?.some(({ answer }) => answer === 'good'))
  assert.ok(crowd.every(({ isDismissed }) => isDismissed))
})

test('no more than so many questions are open at once', async (t) => {
  const crowd = Array.from({ length: 200 }, () => new FakePeer('silent'))
  let openMax = 0
  await ask(t, crowd, 12, () => {
    openMax = Math.max(openMax, crowd.filter(({ isAsked, isDismissed }) => isAsked && !isDismissed).length)
  })
  assert.equal(openMax, CHAIN_PEER_OPEN_COUNT_MAX)
})

test('while an answer comes nobody else is asked, but not for ever', async (t) => {
  const crowd = Array.from({ length: 20 }, () => new FakePeer('comes'))
  const counts: number[] = []
  await ask(t, crowd, 12, () => {
    for (const peer of crowd.slice(0, 1)) peer.receivedLength += 20_000
    counts.push(crowd.filter(({ isAsked }) => isAsked).length)
  })
  assert.deepEqual(counts.slice(0, 7), Array(7).fill(CHAIN_PEER_COUNT_MAX))
  assert.equal(counts.at(-1), crowd.length)
})

/** Answers of these lengths, from a peer each; only that of `usableLength` is of use. */
async function lengthsKept(lengths: readonly number[], usableLength: number): Promise<number[]> {
  const peers = lengths.map((length) => ({
    remote: { host: '192.0.2.1', port: 1 },
    receivedLength: 0,
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
