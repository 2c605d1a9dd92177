/**
 * Makes way for addresses that wait. Whoever claims the right chain is a peer of use, and enough of those take all places of a topic; what they
 * are worth shows in the swarm of a link. Where that hardly moves, addresses that wait for a place in the topic are tried in the swarm; who of
 * them brings more than one who is there gets his place. Where it still does not move, peers that are in it and bring nothing give up their places, one
 * look after the other. They stay in the swarm, so who is merely slow loses nothing there.
 * What addresses brought is noted, so that those who brought most are asked first for what comes next, and are dialled for what hardly moves.
 */
import { type Address, type Download, formatAddress, type Topic, type TopicPeer } from '../../../net/index.ts'
import { WAY_LENGTH, WAY_LOOK_MS, WAY_STILL_COUNT } from './limits.ts'

/** Bytes that addresses brought in swarms, in one conversation. */
export type BroughtBy = Map<string, { readonly address: Address; length: number }>

/** Addresses that brought something, those that brought most first. */
export function inOrderOfBringing(brought: BroughtBy): Address[] {
  return [...brought.values()].sort((a, b) => b.length - a.length).map(({ address }) => address)
}

/** Bytes that a peer of the topic brought in swarms. */
export function lengthBroughtBy({ address, remote }: TopicPeer, brought: BroughtBy): number {
  return brought.get(formatAddress(address ?? remote))?.length ?? 0
}

/** Watches a download; returns how to stop. */
export function makeWayForOthers(
  download: Pick<Download, 'progress' | 'addPeer' | 'preferPeer'>,
  topic: Pick<Topic, 'peers' | 'waiting' | 'preferPeer'>,
  brought: BroughtBy,
): () => void {
  let takenLength = 0
  let before = new Map<string, number>()
  /** Looks in which hardly anything came. */
  let stillCount = 0
  const look = (): void => {
    const progress = download.progress()
    const isMoving = progress.takenLength - takenLength >= WAY_LENGTH
    takenLength = progress.takenLength
    const now = new Map<string, number>()
    const mute = new Set<string>()
    for (const { address, connected, receivedLength } of progress.peers) {
      const key = formatAddress(address)
      const cameLength = receivedLength - (before.get(key) ?? 0)
      now.set(key, receivedLength)
      if (cameLength >= WAY_LENGTH) noteBrought(brought, key, address, cameLength)
      else if (connected && before.has(key)) mute.add(key)
    }
    before = now
    const lengthBy = (peer: TopicPeer): number => lengthBroughtBy(peer, brought)
    const idle = topic.peers().filter(({ address, remote }) => mute.has(formatAddress(address ?? remote)))
    idle.sort((a, b) => lengthBy(a) - lengthBy(b))
    // Small links are asked of peers of the topic.
    for (const { address, length } of brought.values()) {
      if (topic.preferPeer(address)) idle.find((peer) => lengthBy(peer) < length)?.dismiss()
    }
    stillCount = isMoving ? 0 : stillCount + 1
    if (isMoving) return
    for (const [key, { address }] of brought) if (!now.has(key)) download.preferPeer(address)
    for (const address of topic.waiting()) download.addPeer(address)
    if (stillCount < WAY_STILL_COUNT) return
    // Who brings another link, and nothing of this one, is wanted.
    for (const peer of idle) if (lengthBy(peer) === 0) peer.dismiss()
  }
  const timer = setInterval(look, WAY_LOOK_MS)
  return () => clearInterval(timer)
}

function noteBrought(brought: BroughtBy, key: string, address: Address, length: number): void {
  const known = brought.get(key)
  if (known === undefined) brought.set(key, { address, length })
  else known.length += length
}
