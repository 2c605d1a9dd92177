/**
 * Whom a race for a range asks, and in which order. Slow is not failed: in a crowd behind one seeder everybody gets little, and
 * the seeder may be all there is. So who was slow is asked last, but is asked; he is left when hardly anything comes from
 * him for a while, and then, as whoever fails, not asked again in this conversation.
 */

import type { TopicPeer } from '../../../net/index.ts'
import { HelperError } from '../../errors.ts'
import {
  RANGE_ALIVE_LENGTH,
  RANGE_BESIDE_COUNT,
  RANGE_PATIENCE_MS,
  RANGE_STALL_LENGTH,
  RANGE_STALL_MS,
} from '../../limits.ts'
import { raceOfPeers } from './race-of-peers.ts'

/** What a conversation knows of its peers as senders of ranges; added to by every race. */
export interface RangeManners {
  readonly failed: Set<TopicPeer>
  readonly slow: Set<TopicPeer>
}

/**
 * The first good result of `bring`, which is called for one peer after the other; the signal it gets says that the race is over
 * or that too little comes. `peersNow` says who is there, best first, each time one more is to be asked. @throws HelperError 'chain-malformed' when no peer brings it
 */
export async function raceForRange<Result>(
  peersNow: () => readonly TopicPeer[],
  manners: RangeManners,
  signal: AbortSignal,
  bring: (peer: TopicPeer, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const { failed, slow } = manners
  const asked = new Set<TopicPeer>()
  const brought = await raceOfPeers({
    next: async () => {
      // Another race of this conversation may have found out who fails or is slow meanwhile.
      const left = peersNow().filter((peer) => !failed.has(peer) && !asked.has(peer))
      const peer = left.find((one) => !slow.has(one)) ?? left[0] ?? null
      if (peer !== null) asked.add(peer)
      return peer
    },
    attempt: async (peer, joined) => {
      try {
        return { result: await whileMoving(peer, joined, (moving) => bring(peer, moving)) }
      } catch (error) {
        if (!joined.aborted) failed.add(peer)
        throw error
      }
    },
    patienceMs: RANGE_PATIENCE_MS,
    aliveLength: RANGE_ALIVE_LENGTH,
    besideCount: RANGE_BESIDE_COUNT,
    onSlow: (peer) => slow.add(peer),
    signal,
  })
  if (brought === null) throw noPeer()
  return brought.result
}

/** Ends an attempt when its peer brings next to nothing, on all that is asked of it together. */
async function whileMoving<Result>(
  peer: TopicPeer,
  signal: AbortSignal,
  act: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const stalled = new AbortController()
  let before = peer.receivedLength
  const watch = setInterval(() => {
    if (peer.receivedLength - before < RANGE_STALL_LENGTH) stalled.abort()
    before = peer.receivedLength
  }, RANGE_STALL_MS)
  try {
    return await act(AbortSignal.any([signal, stalled.signal]))
  } finally {
    clearInterval(watch)
  }
}

export function noPeer(): HelperError {
  return new HelperError('chain-malformed', 'download: expected a peer, got none')
}
