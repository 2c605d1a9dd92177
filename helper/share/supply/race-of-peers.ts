/**
 * Gets one thing from whichever peer brings it, where no peer can be trusted to bring it at all, or soon: one is asked, the
 * next one as soon as it fails, and one or more beside those that hardly move. The first good answer ends the others. So the silent and
 * the slow cost moments, however many come first, and a slow one that is alone is waited for.
 */
import type { TopicPeer } from '../../../net/index.ts'

export interface PeerRace<Result> {
  /** The next peer to ask, after waiting for one if need be; null if no more will come. */
  readonly next: () => Promise<TopicPeer | null>
  /** Rejects when the peer brought nothing good; `signal` says that the race is over. */
  readonly attempt: (peer: TopicPeer, signal: AbortSignal) => Promise<Result>
  /** Milliseconds in which a peer must bring `aliveLength` bytes, or another one is asked beside it. */
  readonly patienceMs: number
  readonly aliveLength: number
  /** Others that are asked where all that were asked bring less; absent: 1. For small things, of which several may come. */
  readonly besideCount?: number
  /** A peer has brought less than that. */
  readonly onSlow?: (peer: TopicPeer) => void
  readonly signal: AbortSignal
}

interface Runner {
  receivedLength: number
  isSlow: boolean
}

/** The first result; null if all failed, or on abort. */
export async function raceOfPeers<Result>(race: PeerRace<Result>): Promise<Result | null> {
  const { besideCount = 1 } = race
  const over = new AbortController()
  const signal = AbortSignal.any([race.signal, over.signal])
  const runners = new Map<TopicPeer, Runner>()
  const results: Result[] = []
  let wake = (): void => {}
  let [isAsking, isExhausted] = [false, false]
  /** Peers to be asked now. */
  let dueCount = 1
  const start = async (peer: TopicPeer): Promise<void> => {
    runners.set(peer, { receivedLength: peer.receivedLength, isSlow: false })
    try {
      results.push(await race.attempt(peer, signal))
    } catch {
      // The next one is asked below.
    }
    runners.delete(peer)
    wake()
  }
  const askNext = async (): Promise<void> => {
    isAsking = true
    const peer = await race.next().catch(() => null)
    isAsking = false
    if (peer === null) isExhausted = true
    else if (!signal.aborted) void start(peer)
    wake()
  }
  try {
    while (results.length === 0 && !race.signal.aborted) {
      if (runners.size === 0 && !isAsking) dueCount = Math.max(1, dueCount)
      if (dueCount > 0 && !isAsking && !isExhausted) {
        dueCount--
        void askNext()
      }
      if (runners.size === 0 && !isAsking && isExhausted) return null
      const isTimeUp = await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(true), race.patienceMs)
        wake = () => {
          clearTimeout(timer)
          resolve(false)
        }
      })
      if (!isTimeUp) continue
      for (const [peer, runner] of runners) look(peer, runner, race)
      if ([...runners.values()].every(({ isSlow }) => isSlow)) dueCount = besideCount
    }
    return results[0] ?? null
  } finally {
    over.abort()
  }
}

function look<Result>(peer: TopicPeer, runner: Runner, { aliveLength, onSlow }: PeerRace<Result>): void {
  runner.isSlow = peer.receivedLength - runner.receivedLength < aliveLength
  runner.receivedLength = peer.receivedLength
  if (runner.isSlow) onSlow?.(peer)
}
