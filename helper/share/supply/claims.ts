/**
 * Whose chains to follow first. A claim proves nothing until its links have been taken in; where two claims differ in a
 * link that both name, the one that more independent sources stand behind goes first, and what a key of the user's has
 * signed goes before all that. Nothing is thrown away: when what was followed turns out wrong, the next one is tried.
 */

import { createHash } from 'node:crypto'
import { classOfHost, formatAddress, type TopicPeer } from '../../../net/index.ts'
import type { SupplyRequest } from '../../remote/supply.ts'
import type { ChainClaim } from '../chain-claim.ts'
import type { WebSeed } from '../webseed/web-seed.ts'
import { matchOf } from './match.ts'

/** What one peer, or the manifest of one web seed, says that there is. */
export interface Claim {
  readonly chains: readonly ChainClaim[]
  /** Null for a web seed. */
  readonly peer: TopicPeer | null
  /** Whose word it is; several claims of one source are one word. */
  readonly source: string
  /** A key that the user named has signed it. */
  readonly isSigned: boolean
}

/** Whose word that of a peer is. Machines are told apart by address; on loopback every port is one (a test network). */
export function sourceOfPeer({ address, remote }: TopicPeer): string {
  return classOfHost(remote.host) === 'loopback' ? formatAddress(address ?? remote) : remote.host
}

export function claimOfPeer(peer: TopicPeer, chains: readonly ChainClaim[]): Claim {
  return { chains, peer, source: sourceOfPeer(peer), isSigned: false }
}

/** What the manifest of a web seed claims; `isSigned` when a key that the user named has signed it. */
export function claimOfWebSeed({ chains, url }: Pick<WebSeed, 'chains' | 'url'>, isSigned: boolean): Claim {
  return { chains, peer: null, source: url, isSigned }
}

/**
 * The claims that are of use to `request`, those to be followed first at the front: what others contradict with more weight
 * comes last, then what reaches furthest comes first, then what more sources say, then what came first.
 * Pairs of claims that say different things are compared link by link, once: at most CHAIN_PEER_ALL_COUNT_MAX peers and 8 web seeds, with 4,096 links each.
 */
export function rankClaims<Any extends Claim>(
  claims: readonly Any[],
  request: Pick<SupplyRequest, 'refs' | 'wants'>,
): Any[] {
  const scores = new Map([...new Set(claims.map(({ chains }) => chains))].map((said) => [said, matchOf(said, request)]))
  const usable = claims.flatMap((claim) => {
    const score = scores.get(claim.chains) ?? 0
    return score > 0 ? [{ claim, score, said: saidIn(claim) }] : []
  })
  const weighed = usable.map((one) => {
    const agreeing = usable.filter(({ said }) => compare(one.said, said) === 'agrees')
    return { ...one, weight: new Set([one.claim.source, ...agreeing.map(({ claim }) => claim.source)]).size }
  })
  const ranked = weighed.map((one) => {
    const isOutweighed = weighed.some((other) => isHeavier(other, one) && compare(one.said, other.said) === 'differs')
    return { ...one, isOutweighed }
  })
  ranked.sort((a, b) => Number(a.isOutweighed) - Number(b.isOutweighed) || b.score - a.score || b.weight - a.weight)
  return ranked.map(({ claim }) => claim)
}

interface Weighed {
  readonly claim: Claim
  readonly weight: number
}

function isHeavier(a: Weighed, b: Weighed): boolean {
  return a.claim.isSigned === b.claim.isSigned ? a.weight > b.weight : a.claim.isSigned
}

/** What chains say of each link, and how they compare with others, as often as they are ranked. */
const saidBy = new WeakMap<readonly ChainClaim[], Said>()

interface Said {
  /** By the ends of each link. */
  readonly links: ReadonlyMap<string, string>
  readonly comparisons: WeakMap<Said, Comparison>
}

type Comparison = 'agrees' | 'differs' | 'unrelated'

function saidIn({ chains }: Claim): Said {
  const known = saidBy.get(chains)
  if (known !== undefined) return known
  const links = new Map<string, string>()
  for (const chain of chains) {
    for (const { tip, base, infohash, sha256, segments } of chain.links) {
      const hash = createHash('sha256').update(infohash).update(sha256)
      for (const segment of segments) hash.update(`${segment.plan.tip} ${segment.objectCount} ${segment.sha256}\n`)
      links.set(`${tip}-${base ?? ''}`, hash.digest('hex'))
    }
  }
  const said = { links, comparisons: new WeakMap() }
  saidBy.set(chains, said)
  return said
}

function compare(a: Said, b: Said): Comparison {
  const known = a.comparisons.get(b) ?? b.comparisons.get(a)
  if (known !== undefined) return known
  const comparison = compareLinks(a.links, b.links)
  a.comparisons.set(b, comparison)
  return comparison
}

function compareLinks(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): Comparison {
  let verdict: 'agrees' | 'unrelated' = 'unrelated'
  for (const [ends, said] of a) {
    const other = b.get(ends)
    if (other === undefined) continue
    if (other !== said) return 'differs'
    verdict = 'agrees'
  }
  return verdict
}
