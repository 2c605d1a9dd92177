// Goal: what PROTOCOL.md shows as bytes is what the code writes and reads.
// Method: the vectors are read from the document; each is written by the code's encoder and read back by its decoder.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { createCheckpointRule, GT1 } from '../../engine/index.ts'
import {
  decodeChainAnswer,
  decodeChainQuestion,
  decodeSnapshots,
  encodeChainAnswer,
  encodeChainQuestion,
} from '../../helper/share/chain-message.ts'
import { AnswerBudget } from '../../net/answers.ts'
import { decodePeers, encodePeers } from '../../net/gossip.ts'
import { decodeLsdMessage, encodeLsdMessage } from '../../net/lsd-message.ts'
import { encodeMessage, type Message, parseMessage } from '../../net/messages.ts'
import { decodeRangeQuestion, encodeRangeQuestion } from '../../net/range.ts'
import { decodeHello, encodeHello } from '../../net/swarm/extension.ts'
import { parseHello, TopicWire } from '../../net/topic-wire.ts'
import { openDialled } from '../support/dialled.ts'
import { readProjectFile } from '../tidy/project.ts'

const SECTION = readProjectFile('net/PROTOCOL.md').split('## 12. Vectors')[1] ?? ''
const VECTORS = new Map([...SECTION.matchAll(/^([a-z-]+) (\S+)$/gm)].map(([, name = '', text = '']) => [name, text]))

function vector(name: string): string {
  return VECTORS.get(name) ?? ''
}

const MESSAGES: Readonly<Record<string, Message>> = {
  question: { type: 'request', id: 1, kind: 'echo', payload: Buffer.from('hi'), lengthMax: 100 },
  head: { type: 'response', id: 1, length: 2 },
  'stream-head': { type: 'response', id: 1, length: null },
  part: { type: 'chunk', id: 1, bytes: Buffer.from('hi') },
  credit: { type: 'credit', id: 1, length: 256 * 1024 },
  end: { type: 'end', id: 1 },
  refusal: { type: 'error', id: 1, reason: 'busy' },
  cancel: { type: 'cancel', id: 1 },
}

for (const [name, message] of Object.entries(MESSAGES)) {
  test(`message: ${name}`, () => {
    assert.equal(Buffer.from(encodeMessage(message)).toString('latin1'), vector(name))
    const read = parseMessage(Buffer.from(vector(name), 'latin1'))
    assert.ok(read !== null)
    assert.equal(Buffer.from(encodeMessage(read)).toString('latin1'), vector(name))
  })
}

test('the answer to peers, with both families', () => {
  const addresses = [
    { host: '192.0.2.1', port: 7001 },
    { host: '2001:db8::1', port: 7001 },
  ]
  assert.equal(Buffer.from(encodePeers(addresses)).toString('hex'), vector('peers'))
  assert.deepEqual(decodePeers(Buffer.from(vector('peers'), 'hex')).length, 2)
})

test('the question for a range', () => {
  const question = { infohash: Buffer.alloc(20, 0xa1), offset: 16_384, length: 4_096 }
  assert.equal(Buffer.from(encodeRangeQuestion(question)).toString('hex'), vector('range'))
  const { infohash, ...range } = decodeRangeQuestion(Buffer.from(vector('range'), 'hex'))
  assert.deepEqual([Buffer.from(infohash), range], [question.infohash, { offset: 16_384, length: 4_096 }])
})

test('the question for chains, and an answer, with the infohash that follows from it', async () => {
  const question = { format: 'sha1', chainCountMax: 512 } as const
  assert.equal(Buffer.from(encodeChainQuestion(question)).toString('latin1'), vector('chain-question'))
  assert.deepEqual(decodeChainQuestion(Buffer.from(vector('chain-question'))), question)
  assert.deepEqual(decodeChainQuestion(Buffer.from(vector('plain-chain-question'))), { ...question, chainCountMax: 64 })
  const levelOf = await createCheckpointRule(GT1)
  const [chain] = decodeChainAnswer(Buffer.from(vector('chain-answer'), 'hex'), 'sha1', levelOf)
  const [link] = chain?.links ?? []
  assert.ok(chain !== undefined && link !== undefined)
  const infohash = Buffer.from(link.infohash).toString('hex')
  assert.ok(SECTION.includes(`\`${infohash}\``))
  assert.equal(chain.ref, 'refs/heads/main')
  assert.equal(chain.tip, 'f'.repeat(40))
  assert.deepEqual([link.base, link.segments.length, link.segments[0]?.objectCount], [null, 1, 3])
})

test('the hello of a topic: as it goes over the wire, and as it is understood', async (t) => {
  const { connection, peer } = await openDialled(t)
  const infohash = Buffer.alloc(20, 0xa1)
  const expected = Buffer.from(vector('hello'), 'latin1')
  const said = new Promise<Buffer>((resolve) => {
    let read = Buffer.alloc(0)
    peer.on('data', (bytes: Buffer) => {
      read = Buffer.concat([read, bytes])
      if (read.length >= 68 + 6 + expected.length) resolve(read)
    })
    peer.resume()
  })
  const budget = new AnswerBudget(0)
  const answer = () => Promise.reject(new Error('nobody asks here'))
  const wire = new TopicWire(connection, { infohash, peerId: Buffer.alloc(20, 1), listenPort: 7001, budget, answer })
  // The library says its hello once it has the other's handshake.
  peer.write(Buffer.concat([Buffer.from('\x13BitTorrent protocol\0\0\0\0\0\x10\0\0', 'latin1'), infohash, infohash]))
  const read = await said
  assert.deepEqual(read.subarray(28, 48), infohash)
  assert.equal(read.subarray(68 + 6).toString('latin1'), expected.toString('latin1'))
  const prefix = Buffer.from([0, 0, 0, expected.length + 2, 20, 0])
  peer.write(Buffer.concat([prefix, expected]))
  assert.deepEqual(await wire.hello, { version: 1, number: 1, listenPort: 7001 })
  const { decode } = createRequire(import.meta.url)('bencode')
  assert.equal(parseHello(decode(Buffer.from(vector('hello').replace('1:vi1e', '1:vi0e'), 'latin1'))), null)
  assert.equal(parseHello(decode(Buffer.from(vector('hello').replace('gittorrent1', 'gittorrent2'), 'latin1'))), null)
})

test('the hello of a swarm, of one who wants a part and one who wants all', () => {
  assert.equal(Buffer.from(encodeHello(1000, true, true)).toString('latin1'), vector('swarm-hello'))
  const { wantsSome, needsFewHaves, metadataId, requestCountMax } = decodeHello(
    Buffer.from(vector('swarm-hello'), 'latin1'),
  )
  assert.deepEqual([wantsSome, needsFewHaves, metadataId, requestCountMax], [true, true, 1, 512])
})

test('the announcement and the question of local service discovery', () => {
  const group = '239.192.152.143:6771'
  const infohashes = ['a1'.repeat(20)]
  for (const [name, port, cookie] of [
    ['lsd-announcement', 7001, 'c0ffee'],
    ['lsd-question', 0, ''],
  ] as const) {
    const message = { port, infohashes, cookie }
    assert.equal(Buffer.from(encodeLsdMessage(message, group)).toString('hex'), vector(name))
    assert.deepEqual(decodeLsdMessage(Buffer.from(vector(name), 'hex')), message)
  }
})

test('an answer to chain with a snapshot, and the infohash that follows from it', async () => {
  const levelOf = await createCheckpointRule(GT1)
  const bytes = Buffer.from(vector('snapshot-answer'), 'hex')
  const [snapshot] = decodeSnapshots(bytes, 'sha1', levelOf)
  assert.ok(snapshot !== undefined)
  assert.deepEqual([snapshot.objectCount, snapshot.lengthBytes], [9, 40_000])
  assert.ok(SECTION.includes(`\`${Buffer.from(snapshot.infohash).toString('hex')}\``))
  assert.ok(Buffer.from(encodeChainAnswer([], [{ ...snapshot, read: () => assert.fail() }])).equals(bytes))
  assert.deepEqual(decodeChainAnswer(bytes, 'sha1', levelOf), [])
})
