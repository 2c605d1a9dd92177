// Goal: questions get their answers, in bounds and in time, and a misbehaving peer costs only its own connection.
// Method: two channels joined in memory, and hand-made messages for the hostile cases.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { AnswerBudget } from '../../net/answers.ts'
import { Channel, type ChannelPorts } from '../../net/channel.ts'
import { NetError, Refusal } from '../../net/index.ts'
import {
  CONTROL_BURST_COUNT,
  REQUEST_INCOMING_COUNT_MAX,
  RESPONSE_WINDOW_LENGTH,
  STRAY_BURST_COUNT,
} from '../../net/limits.ts'
import { encodeMessage, type Message, parseMessage } from '../../net/messages.ts'
import { bytesOf, PATIENCE_MS } from './fixtures.ts'

const OPTIONS = { timeoutMs: PATIENCE_MS, responseLengthMax: 10_000_000 }
type Answer = ChannelPorts['answer']

function pair(answer: Answer, budget = new AnswerBudget(2 ** 30)) {
  const dropped: NetError[] = []
  const sent: Message[] = []
  const asker: Channel = new Channel({
    send: (bytes, onTaken = () => {}) =>
      queueMicrotask(() => {
        onTaken()
        answerer.receive(bytes)
      }),
    drop: (reason) => dropped.push(reason),
    answer: () => Promise.reject(new Refusal('no')),
    budget,
  })
  const answerer: Channel = new Channel({
    send: (bytes, onTaken = () => {}) => {
      const message = parseMessage(bytes)
      if (message !== null) sent.push(message)
      queueMicrotask(() => {
        onTaken()
        asker.receive(bytes)
      })
    },
    drop: (reason) => dropped.push(reason),
    answer,
    budget,
  })
  return { asker, answerer, dropped, sent }
}

test('messages survive their encoding', () => {
  const id = fc.integer({ min: 1, max: 2 ** 31 - 1 })
  const length = fc.integer({ min: 1, max: 1_000_000 })
  const message: fc.Arbitrary<Message> = fc.oneof(
    fc.record({
      type: fc.constant('request' as const),
      id,
      kind: fc.constantFrom('chain', 'peers'),
      payload: fc.uint8Array(),
      lengthMax: length,
    }),
    fc.record({ type: fc.constant('response' as const), id, length }),
    fc.record({ type: fc.constant('chunk' as const), id, bytes: fc.uint8Array({ minLength: 1 }) }),
    fc.record({ type: fc.constant('credit' as const), id, length }),
    fc.record({ type: fc.constant('error' as const), id, reason: fc.constant('busy') }),
    fc.record({ type: fc.constant('cancel' as const), id }),
  )
  fc.assert(
    fc.property(message, (value) => {
      const back = parseMessage(encodeMessage(value))
      assert.deepEqual(back === null ? null : encodeMessage(back), encodeMessage(value))
      assert.equal(back?.type, value.type)
    }),
  )
})

test('long answers arrive whole and never exceed the window without credit', async () => {
  const content = bytesOf('long', 5_000_000)
  const { asker, dropped } = pair(async () => content)
  assert.deepEqual(Buffer.from(await asker.request('get', new Uint8Array(0), OPTIONS)), content)
  const mute = pair(async () => content)
  mute.answerer.receive(
    encodeMessage({ type: 'request', id: 1, kind: 'get', payload: new Uint8Array(0), lengthMax: content.length }),
  )
  await new Promise((resolve) => setImmediate(resolve))
  const sentLength = mute.sent.reduce((sum, message) => sum + (message.type === 'chunk' ? message.bytes.length : 0), 0)
  assert.equal(sentLength, RESPONSE_WINDOW_LENGTH)
  mute.answerer.close(new NetError('closed', 'end of test'))
  assert.equal(dropped.length, 0)
})

test('refusals, failures, time-outs and aborts are told apart', async () => {
  const never = new Promise<Uint8Array>(() => {})
  const { asker } = pair((kind) =>
    kind === 'no' ? Promise.reject(new Refusal('not-found')) : kind === 'bug' ? Promise.reject(new Error('x')) : never,
  )
  const ask = (kind: string, options = OPTIONS) => asker.request(kind, new Uint8Array(0), options)
  await assert.rejects(ask('no'), { code: 'peer-refused', data: { reason: 'not-found' } })
  await assert.rejects(ask('bug'), { code: 'peer-refused', data: { reason: 'failed' } })
  await assert.rejects(ask('slow', { ...OPTIONS, timeoutMs: 10 }), { code: 'timeout' })
  const abort = new AbortController()
  const aborted = asker.request('slow', new Uint8Array(0), { ...OPTIONS, signal: abort.signal })
  abort.abort()
  await assert.rejects(aborted, { code: 'aborted' })
  const cut = ask('slow')
  asker.close(new NetError('peer-gone', 'cut'))
  await assert.rejects(cut, { code: 'peer-gone' })
  await assert.rejects(ask('slow'), { code: 'peer-gone' })
})

test('an answer longer than asked for is refused by its sender', async () => {
  const { asker } = pair(async () => new Uint8Array(1001))
  const asked = asker.request('get', new Uint8Array(0), { timeoutMs: PATIENCE_MS, responseLengthMax: 1000 })
  await assert.rejects(asked, { code: 'peer-refused', data: { reason: 'too-long' } })
})

test('memory for answers is bounded over all channels and given back', async () => {
  const budget = new AnswerBudget(1000)
  const { asker } = pair(async (kind) => new Uint8Array(kind === 'big' ? 1001 : 1000), budget)
  await assert.rejects(asker.request('big', new Uint8Array(0), OPTIONS), { data: { reason: 'busy' } })
  for (let i = 0; i < 5; i++) assert.equal((await asker.request('fits', new Uint8Array(0), OPTIONS)).length, 1000)
})

test('too many questions at once are refused as busy, floods end the connection', async () => {
  const { answerer, sent, dropped } = pair(() => new Promise<Uint8Array>(() => {}))
  const ask = (id: number): void => {
    answerer.receive(encodeMessage({ type: 'request', id, kind: 'get', payload: new Uint8Array(0), lengthMax: 1 }))
  }
  for (let id = 1; id <= REQUEST_INCOMING_COUNT_MAX + 3; id++) ask(id)
  assert.equal(sent.filter((message) => message.type === 'error' && message.reason === 'busy').length, 3)
  for (let id = 100; id < 100 + 2 * CONTROL_BURST_COUNT; id++) ask(id)
  assert.equal(dropped[0]?.code, 'message-limit')
})

test('answers that break their own promise end the connection', async () => {
  const hostile: Message[][] = [
    [{ type: 'response', id: 1, length: 20_000_000 }],
    [
      { type: 'response', id: 1, length: 10 },
      { type: 'response', id: 1, length: 10 },
    ],
    [{ type: 'chunk', id: 1, bytes: new Uint8Array(1) }],
    [
      { type: 'response', id: 1, length: 1 },
      { type: 'chunk', id: 1, bytes: new Uint8Array(2) },
    ],
  ]
  for (const messages of hostile) {
    const dropped: NetError[] = []
    const channel = new Channel({
      send: () => {},
      drop: (reason) => dropped.push(reason),
      answer: () => Promise.reject(new Refusal('no')),
      budget: new AnswerBudget(1),
    })
    channel.request('get', new Uint8Array(0), OPTIONS).catch(() => {})
    for (const message of messages) channel.receive(encodeMessage(message))
    assert.equal(dropped.length, 1, JSON.stringify(messages))
    channel.close(new NetError('closed', 'end of test'))
  }
})

test('unknown message types are ignored, garbage ends the connection', () => {
  const { answerer, dropped } = pair(() => Promise.reject(new Refusal('no')))
  answerer.receive(Buffer.from('d1:ii1e1:t1:ze'))
  assert.equal(dropped.length, 0)
  answerer.receive(Buffer.from('l-3:'))
  assert.equal(dropped[0]?.code, 'message-malformed')
})

test('messages about nothing that is open are ignored, a flood of them ends the connection', () => {
  const { asker, dropped } = pair(() => Promise.reject(new Refusal('no')))
  const late: Message[] = [
    { type: 'chunk', id: 7, bytes: new Uint8Array(1) },
    { type: 'credit', id: 7, length: 1 },
    { type: 'response', id: 7, length: 1 },
    { type: 'end', id: 7 },
    { type: 'error', id: 7, reason: 'busy' },
  ]
  const encoded = late.map(encodeMessage)
  for (let count = 0; count < STRAY_BURST_COUNT; count += late.length) for (const bytes of encoded) asker.receive(bytes)
  assert.equal(dropped.length, 0)
  for (let count = 0; count < STRAY_BURST_COUNT; count += late.length) for (const bytes of encoded) asker.receive(bytes)
  assert.equal(dropped[0]?.code, 'message-limit')
})

test('an answer that has not left keeps its place and its memory, a cancelled one too', async () => {
  const budget = new AnswerBudget(1000)
  const taken: (() => void)[] = []
  const answerer = new Channel({
    send: (_, onTaken = () => {}) => taken.push(onTaken),
    drop: assert.fail,
    answer: async () => new Uint8Array(600),
    budget,
  })
  const ask = async (id: number): Promise<void> => {
    answerer.receive(encodeMessage({ type: 'request', id, kind: 'get', payload: new Uint8Array(0), lengthMax: 600 }))
    await new Promise((resolve) => setImmediate(resolve))
  }
  await ask(1)
  answerer.receive(encodeMessage({ type: 'cancel', id: 1 }))
  assert.equal(budget.take(600), false)
  for (const onTaken of taken.splice(0)) onTaken()
  assert.equal(budget.take(600), true)
  budget.give(600)
  await ask(2)
  answerer.close(new NetError('closed', 'end of test'))
  assert.equal(budget.take(1000), true)
})
