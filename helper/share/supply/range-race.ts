/**
 * Whom to ask for a range, and when the next one beside him. Slow is not failed: in a crowd behind one seeder everybody gets
 * little, and the seeder may be all there is. So who was slow is asked last, but is asked; he is left when hardly anything
 * comes from him for a while, and then, as whoever fails, not asked again in this conversation.
 */

import type { TopicPeer } from '../../../net/index.ts'
import { HelperError } from '../../errors.ts'
import { RANGE_ALIVE_LENGTH, RANGE_PATIENCE_MS, RANGE_STALL_LENGTH, RANGE_STALL_MS } from '../../limits.ts'

/** What a conversation knows of its peers as senders of ranges; added to by every race. */
export interface RangeManners {
  readonly failed: Set<TopicPeer>
  readonly slow: Set<TopicPeer>
}

/**
 * The first good result of `bring`, which is called for one peer after the other; the signal it gets says that the race is over
 * or that too little comes. @throws HelperError 'chain-malformed' when no peer brings it
 */
export async function raceForRange<Result>(
  peers: readonly TopicPeer[],
  manners: RangeManners,
  signal: AbortSignal,
  bring: (peer: TopicPeer, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const attempts: Promise<Result>[] = []
  const over = new AbortController()
  const joined = AbortSignal.any([signal, over.signal])
  const { failed, slow } = manners
  const inOrder = [...peers.filter((peer) => !slow.has(peer)), ...peers.filter((peer) => slow.has(peer))]
  try {
    for (const peer of inOrder) {
      if (failed.has(peer)) continue
      const attempt = whileMoving(peer, joined, (moving) => bring(peer, moving))
      attempt.catch(() => joined.aborted || failed.add(peer))
      attempts.push(attempt)
      // One that hardly moves goes on, but the next one need not wait for it.
      if (await comesWell(peer, attempt)) break
      slow.add(peer)
    }
    return await Promise.any(attempts).catch(() => Promise.reject(noPeer()))
  } finally {
    over.abort()
  }
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

/** Waits for an attempt; false if it failed, or as soon as its peer brings too little. */
async function comesWell(peer: TopicPeer, attempt: Promise<unknown>): Promise<boolean> {
  const ended = attempt.then(
    () => true,
    () => false,
  )
  for (;;) {
    const before = peer.receivedLength
    let timer: NodeJS.Timeout | undefined
    const paused = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), RANGE_PATIENCE_MS)
    })
    const outcome = await Promise.race([ended, paused])
    clearTimeout(timer)
    if (outcome !== null) return outcome
    if (peer.receivedLength - before < RANGE_ALIVE_LENGTH) return false
  }
}

export function noPeer(): HelperError {
  return new HelperError('chain-malformed', 'download: expected a peer, got none')
}
