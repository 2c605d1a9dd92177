/**
 * Goal: many peers with long answers take bounded memory, and do not keep a short answer from being heard.
 * Method: a topic whose peers answer at once with as many bytes as they like.
 */

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { CHAIN_ANSWER_LENGTH_ALL_MAX, CHAIN_ANSWER_LENGTH_MAX } from '../../helper/limits.ts'
import { askPeers, noneAsked } from '../../helper/share/supply/ask-peers.ts'
import { openTrace } from '../../helper/trace.ts'
import type { Topic, TopicPeer } from '../../net/index.ts'

/** Answers of these lengths, from a peer each; only that of `usableLength` is of use. */
async function lengthsKept(lengths: readonly number[], usableLength: number): Promise<number[]> {
  const peers = lengths.map((length) => ({
    remote: { host: '192.0.2.1', port: 1 },
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

it('of answers that have too many bytes together the longest are passed over, whenever they come', async () => {
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
