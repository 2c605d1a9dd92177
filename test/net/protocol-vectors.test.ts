// Goal: what PROTOCOL.md shows as bytes is what the code writes and reads.
// Method: the vectors are read from the document; each is written by the code's encoder and read back by its decoder.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCheckpointRule, GT1 } from '../../engine/index.ts'
import { decodeChainAnswer, decodeChainQuestion, encodeChainQuestion } from '../../helper/share/chain-message.ts'
import { decodePeers, encodePeers } from '../../net/gossip.ts'
import { encodeMessage, type Message, parseMessage } from '../../net/messages.ts'
import { decodeRangeQuestion, encodeRangeQuestion } from '../../net/range.ts'
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
  assert.equal(Buffer.from(encodeChainQuestion('sha1')).toString('latin1'), vector('chain-question'))
  assert.equal(decodeChainQuestion(Buffer.from(vector('chain-question'))), 'sha1')
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
