// Goal: a streamed answer arrives whole, in order, no faster than it is read, and ends when either side wants it to.
// Method: two channels joined in memory, sources that count what was pulled from them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AnswerBudget } from '../../net/answers.ts'
import { Channel, type ChannelPorts } from '../../net/channel.ts'
import { type AnswerStream, type NetError, Refusal } from '../../net/index.ts'
import { RESPONSE_WINDOW_LENGTH } from '../../net/limits.ts'
import { encodeMessage } from '../../net/messages.ts'
import { bytesOf, PATIENCE_MS } from './fixtures.ts'

const OPTIONS = { stallTimeoutMs: PATIENCE_MS, lengthMax: 2 ** 32 }
const PART = bytesOf('part', 100_000)
const NO_PAYLOAD = new Uint8Array(0)

interface Counted extends AnswerStream {
  pulled: number
  isClosed: boolean
  readonly closed: Promise<void>
}

/** A source of `count` equal parts; `onPull` may throw. */
function source(count: number, onPull: (index: number) => void = () => {}): Counted {
  let resolveClosed = (): void => {}
  const counted: Counted = {
    pulled: 0,
    isClosed: false,
    closed: new Promise((resolve) => {
      resolveClosed = resolve
    }),
    close: () => {
      counted.isClosed = true
      resolveClosed()
    },
    async *[Symbol.asyncIterator]() {
      for (let n = 0; n < count && !counted.isClosed; n++) {
        onPull(n)
        counted.pulled += 1
        yield PART
      }
    },
  }
  return counted
}

function deliver(to: Channel, bytes: Uint8Array, onTaken: () => void = () => {}): void {
  onTaken()
  to.receive(bytes)
}

function pair(answer: ChannelPorts['answer']) {
  const dropped: NetError[] = []
  const drop = (reason: NetError): void => {
    dropped.push(reason)
    asker.close(reason)
    answerer.close(reason)
  }
  const budget = new AnswerBudget(2 ** 30)
  const asker: Channel = new Channel({
    send: (bytes, onTaken) => queueMicrotask(() => deliver(answerer, bytes, onTaken)),
    drop,
    answer: () => Promise.reject(new Refusal('no')),
    budget,
  })
  const answerer: Channel = new Channel({
    send: (bytes, onTaken) => queueMicrotask(() => deliver(asker, bytes, onTaken)),
    drop,
    answer,
    budget,
  })
  return { asker, answerer, dropped }
}

async function read(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts)
}

test('a stream of many windows arrives whole', async () => {
  const given = source(80)
  const { asker, dropped } = pair(async () => given)
  const bytes = await read(asker.requestStream('tip', NO_PAYLOAD, OPTIONS))
  assert.ok(bytes.equals(Buffer.concat(Array.from({ length: 80 }, () => PART))))
  assert.deepEqual(dropped, [])
  assert.equal(asker.busy, false)
})

test('an empty stream and a whole answer are streams too', async () => {
  const { asker } = pair(async (kind) => (kind === 'empty' ? source(0) : PART))
  assert.equal((await read(asker.requestStream('empty', NO_PAYLOAD, OPTIONS))).length, 0)
  assert.ok((await read(asker.requestStream('whole', NO_PAYLOAD, OPTIONS))).equals(PART))
})

test('nothing is pulled from the source beyond the window while nobody reads', async () => {
  const given = source(1_000)
  const { asker } = pair(async () => given)
  const iterator = asker.requestStream('tip', NO_PAYLOAD, OPTIONS)[Symbol.asyncIterator]()
  await iterator.next()
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
  assert.ok(given.pulled * PART.length <= RESPONSE_WINDOW_LENGTH + 2 * PART.length, `${given.pulled} parts`)
  await iterator.return?.(undefined)
  await given.closed
  assert.equal(asker.busy, false)
})

test('a source that fails, a refusal and a stream past its bound are told apart', async () => {
  const failing = source(9, (index) => {
    if (index === 3) throw new Error('disk')
  })
  const { asker } = pair(async (kind) => {
    if (kind === 'no') throw new Refusal('not-advertised')
    return kind === 'long' ? source(100) : failing
  })
  await assert.rejects(read(asker.requestStream('fail', NO_PAYLOAD, OPTIONS)), { data: { reason: 'failed' } })
  await assert.rejects(read(asker.requestStream('no', NO_PAYLOAD, OPTIONS)), { data: { reason: 'not-advertised' } })
  const bounded = asker.requestStream('long', NO_PAYLOAD, { ...OPTIONS, lengthMax: 2_000_000 })
  await assert.rejects(read(bounded), { data: { reason: 'too-long' } })
})

test('silence ends the wait, and an abort closes the source', async () => {
  const mute: AnswerStream = { close: () => {}, [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }
  const { asker } = pair(async () => mute)
  await assert.rejects(read(asker.requestStream('tip', NO_PAYLOAD, { ...OPTIONS, stallTimeoutMs: 20 })), {
    code: 'timeout',
  })
  const given = source(1_000)
  const other = pair(async () => given)
  const abort = new AbortController()
  const stream = other.asker.requestStream('tip', NO_PAYLOAD, { ...OPTIONS, signal: abort.signal })
  const reading = (async () => {
    for await (const _ of stream) abort.abort()
  })()
  await assert.rejects(reading, { code: 'aborted' })
  await given.closed
})

test('a sender who ignores credit, or sends a stream where a length is due, is dropped', async () => {
  const { asker, dropped } = pair(() => new Promise(() => {}))
  void read(asker.requestStream('tip', NO_PAYLOAD, OPTIONS)).catch(() => {})
  const unread = asker.requestStream('tip', NO_PAYLOAD, OPTIONS)
  const send = (id: number, length: number): void => {
    asker.receive(encodeMessage({ type: 'chunk', id, bytes: new Uint8Array(length) }))
  }
  asker.receive(encodeMessage({ type: 'response', id: 2, length: null }))
  for (let sent = 0; sent <= 2 * RESPONSE_WINDOW_LENGTH; sent += 65_536) send(2, 65_536)
  assert.equal(dropped[0]?.code, 'message-limit')
  await assert.rejects(read(unread), { code: 'message-limit' })
  const strict = pair(async () => source(1))
  const whole = strict.asker.request('tip', NO_PAYLOAD, { timeoutMs: PATIENCE_MS, responseLengthMax: 100 })
  await assert.rejects(whole, { code: 'message-malformed' })
})
