// Goal: what PROTOCOL.md shows as bytes is what the code writes and reads.
// Method: the vectors are read from the document; each is written by the code's encoder and read back by its decoder.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { createCheckpointRule, GT1 } from '../../engine/index.ts'
import { keyId } from '../../helper/keys/key-store.ts'
import { publisherTopic } from '../../helper/publish/names.ts'
import {
  decodeRecordsAnswer,
  decodeRefsQuestion,
  encodeRecordsAnswer,
  encodeRefsQuestion,
} from '../../helper/publish/refs-message.ts'
import { decodeTipRequest, encodeTipRequest } from '../../helper/publish/tip-request.ts'
import {
  decodeChainAnswer,
  decodeChainQuestion,
  decodeSnapshots,
  encodeChainAnswer,
  encodeChainQuestion,
} from '../../helper/share/chain-message.ts'
import { topicOf } from '../../helper/share/topic.ts'
import { topicNameOf } from '../../helper/topic-name.ts'
import { parseRemoteUrl } from '../../helper/url.ts'
import { AnswerBudget } from '../../net/answers.ts'
import { decodePeers, encodePeers } from '../../net/gossip.ts'
import { isGenuineItem } from '../../net/item.ts'
import { decodeLsdMessage, encodeLsdMessage } from '../../net/lsd-message.ts'
import { encodeMessage, type Message, parseMessage } from '../../net/messages.ts'
import { decodeRangeQuestion, encodeRangeQuestion } from '../../net/range.ts'
import { SharedSecret } from '../../net/secret.ts'
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

test('a question for chains is of version 1 or later; what it has besides is ignored; any other is refused', () => {
  const decode = (text: string) => decodeChainQuestion(Buffer.from(text))
  assert.deepEqual(decode('d1:f6:sha2561:vi2e1:zi9ee'), { format: 'sha256', chainCountMax: 64 })
  const others = [
    '',
    'de',
    'd1:vi1ee',
    'd1:f4:sha11:vi0ee',
    'd1:f6:sha5121:vi1ee',
    'd1:ci0e1:f4:sha11:vi1ee',
    'd1:c1:x1:f4:sha11:vi1ee',
    '4:sha1',
  ]
  for (const text of others) assert.throws(() => decode(text), { reason: 'malformed' }, text)
})

test('the questions for records and for a page of a document, and an answer with a record that is signed', () => {
  const page = { hash: 'e5'.repeat(32), offset: 1024 * 1024 }
  assert.equal(Buffer.from(encodeRefsQuestion(null)).toString('latin1'), vector('refs-question'))
  assert.equal(Buffer.from(encodeRefsQuestion(page)).toString('hex'), vector('page-question'))
  assert.equal(decodeRefsQuestion(Buffer.from(vector('refs-question'))), null)
  assert.deepEqual(decodeRefsQuestion(Buffer.from(vector('page-question'), 'hex')), page)
  const items = decodeRecordsAnswer(Buffer.from(vector('records-answer'), 'hex'))
  assert.equal(Buffer.from(encodeRecordsAnswer(items)).toString('hex'), vector('records-answer'))
  assert.deepEqual(
    items.map((item) => [isGenuineItem(item), item.seq]),
    [[true, 1_795_000_001]],
  )
})

test('the question to the tunnel', () => {
  const request = { objectFormat: 'sha1', wants: ['a'.repeat(40)], haves: ['b'.repeat(40)] } as const
  assert.equal(Buffer.from(encodeTipRequest(request)).toString('hex'), vector('tip-question'))
  assert.deepEqual(decodeTipRequest(Buffer.from(vector('tip-question'), 'hex')), request)
})

test('topics of an origin, of a publisher, and under a secret', () => {
  const origin = parseRemoteUrl('https://github.com/git/git')
  assert.ok(origin.kind === 'origin')
  assert.equal(Buffer.from(topicOf(origin)).toString('hex'), vector('origin-topic'))
  const [item] = decodeRecordsAnswer(Buffer.from(vector('records-answer'), 'hex'))
  assert.equal(
    Buffer.from(publisherTopic(keyId(item?.key ?? assert.fail()), 'project')).toString('hex'),
    vector('publisher-topic'),
  )
  const secret = new SharedSecret(Buffer.alloc(32, 0xcc))
  assert.equal(secret.identity, vector('secret-identity'))
  assert.equal(Buffer.from(secret.topicOf(Buffer.alloc(20, 0xa1))).toString('hex'), vector('secret-topic'))
})

test('the name of an origin, for each URL of the table', () => {
  const rows = [...readProjectFile('net/PROTOCOL.md').matchAll(/^\| `([^`]+[:/][^`]+)` \| `([^`]+)` \|$/gm)]
  assert.ok(rows.length >= 15)
  for (const [, url = '', name = ''] of rows) {
    const origin = parseRemoteUrl(url)
    assert.equal(origin.kind === 'origin' ? topicNameOf(origin) : '', name, url)
  }
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
  assert.equal(read.subarray(0, 68).toString('hex'), vector('handshake'))
  assert.equal(read.subarray(68 + 6).toString('latin1'), expected.toString('latin1'))
  const prefix = Buffer.from([0, 0, 0, expected.length + 2, 20, 0])
  peer.write(Buffer.concat([prefix, expected]))
  assert.deepEqual(await wire.hello, { version: 1, number: 1, listenPort: 7001 })
  const { decode } = createRequire(import.meta.url)('bencode')
  assert.equal(parseHello(decode(Buffer.from(vector('hello').replace('1:vi1e', '1:vi0e'), 'latin1'))), null)
  assert.equal(parseHello(decode(Buffer.from(vector('hello').replace('gittorrent1', 'gittorrent2'), 'latin1'))), null)
})

test('the hello of a swarm, of one who wants a part and of a source that shows its pieces by and by', () => {
  assert.equal(Buffer.from(encodeHello(1000, true, 'lacking')).toString('latin1'), vector('swarm-hello'))
  const { wantsSome, haveNeed, metadataId, requestCountMax } = decodeHello(Buffer.from(vector('swarm-hello'), 'latin1'))
  assert.deepEqual([wantsSome, haveNeed, metadataId, requestCountMax], [true, 'lacking', 1, 512])
  assert.equal(Buffer.from(encodeHello(1000, false, 'all-late')).toString('latin1'), vector('source-hello'))
  assert.equal(decodeHello(Buffer.from(vector('source-hello'), 'latin1')).haveNeed, 'all-late')
  const unknown = vector('source-hello').replace('gt1hi2e', 'gt1hi3e')
  assert.equal(decodeHello(Buffer.from(unknown, 'latin1')).haveNeed, 'all')
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
