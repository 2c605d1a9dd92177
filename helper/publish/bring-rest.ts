/**
 * What no chain brought of a publication comes through tunnels (tip-fetch.ts): each peer is asked for what its own records name, its
 * packs wait in a quarantine of their own until they are known to be all that it was asked for and nothing else (tip-check.ts), and a
 * slow one has the next asked beside it. Refs are not moved here.
 */
import type { MutableItem, TopicPeer } from '../../net/index.ts'
import type { GitConfig, Settings } from '../config.ts'
import { HelperError, messageOf } from '../errors.ts'
import { missingOf } from '../git/missing-objects.ts'
import { type Repository, runGit } from '../git/repository.ts'
import { humanBytes, type Progress } from '../progress.ts'
import { banClaimants } from '../share/supply/ban-claimant.ts'
import { fsckWanted } from '../share/supply/fsck.ts'
import { Quarantine } from '../share/supply/quarantine.ts'
import { raceOfPeers } from '../share/supply/race-of-peers.ts'
import type { Trace } from '../trace.ts'
import type { PeerOffer } from './find-records.ts'
import { TIP_ALIVE_LENGTH, TIP_PATIENCE_MS } from './limits.ts'
import { repositorySalt } from './names.ts'
import type { Publication } from './reader.ts'
import { decodeRecord } from './record.ts'
import { decodeDocument } from './refs-document.ts'
import { checkTunnel } from './tip-check.ts'
import { fetchThroughTunnel, type TipFetch } from './tip-fetch.ts'

export interface RestSurroundings {
  readonly config: GitConfig
  readonly settings: Settings
  readonly trace: Trace
  readonly signal: AbortSignal
  readonly progress: Progress
  /** Bytes that may come. */
  readonly lengthMax: number
}

/**
 * Brings what is missing; returns the bytes that came. `known` are tips that were here before anything came.
 * @throws HelperError not-published; limit if a peer sends more than may come
 */
export async function bringRest(
  publication: Publication,
  repository: Repository,
  known: readonly string[],
  around: RestSurroundings,
): Promise<number> {
  const { objectFormat } = repository
  const { signal, progress, lengthMax } = around
  const fsckObjects = fsckWanted(around.config)
  const haves = [...new Set([...known, ...(await tipsOf(repository))])]
  const wanted = [...new Set(publication.refs.map(({ oid }) => oid))]
  const checked = new Set<string>()
  const tried = new Set<TopicPeer>()
  const wantsOf = new Map<TopicPeer, string[]>()
  let missing = await missingOf(repository, wanted)
  let bytes = 0
  let enteredLength = 0
  let excess: HelperError | null = null
  const attempt = async (peer: TopicPeer, over: AbortSignal): Promise<readonly string[]> => {
    const wants = wantsOf.get(peer) ?? []
    let ofThisPeer = 0
    const onBytes = (count: number): void => {
      bytes += count
      ofThisPeer += count
      progress.update('Receiving from peers', humanBytes(bytes))
      if (enteredLength + ofThisPeer <= lengthMax) return
      excess = tooLarge(publication.name, lengthMax, 'more')
      throw excess
    }
    const fetch = { objectFormat, wants, haves, fsckObjects, onBytes, signal: over }
    try {
      await bringThroughTunnel(peer, repository, fetch)
      enteredLength += ofThisPeer
      return wants
    } catch (error) {
      // Who was merely overtaken may be asked for something else.
      if (over.aborted) tried.delete(peer)
      else await noteFailure(peer, error, around)
      throw error
    }
  }
  const outdated = new AbortController()
  const next = async (): Promise<TopicPeer | null> => {
    const found = await nextPeer(publication, missing, tried)
    if (isOutdated(publication)) outdated.abort()
    if (found === null || outdated.signal.aborted) return null
    tried.add(found.peer)
    wantsOf.set(found.peer, found.wants)
    return found.peer
  }
  while (missing.length > 0) {
    const over = AbortSignal.any([signal, outdated.signal])
    const race = { next, attempt, patienceMs: TIP_PATIENCE_MS, aliveLength: TIP_ALIVE_LENGTH, signal: over }
    const brought = await raceOfPeers(race)
    if (signal.aborted) throw new HelperError('interrupted', 'tunnel: interrupted')
    if (brought === null) break
    for (const oid of brought) checked.add(oid)
    missing = missing.filter((oid) => !checked.has(oid))
  }
  if (missing.length > 0 && excess !== null) throw excess
  const isWhole =
    missing.length === 0 && (wanted.every((oid) => checked.has(oid)) || (await isConnected(repository, wanted)))
  if (!isWhole) throw notWhole(publication.name, missing.length, wanted.length)
  progress.done('Receiving from peers', humanBytes(bytes))
  return bytes
}

function notWhole(name: string, missingCount: number, wantedCount: number): HelperError {
  const got = missingCount > 0 ? `${missingCount} of ${wantedCount} missing` : 'history with holes'
  return new HelperError('not-published', `'${name}': expected all refs from its peers, got ${got}, try later`)
}

async function noteFailure(peer: TopicPeer, error: unknown, { settings, trace }: RestSurroundings): Promise<void> {
  trace(() => `tunnel to ${peer.remote.host}:${peer.remote.port}: ${messageOf(error)}`)
  if (error instanceof HelperError && error.code === 'pack-padded')
    await banClaimants([peer.address ?? peer.remote], settings.peerMemory, trace)
}

/** Brings what was asked for into the repository, whole or not at all. */
async function bringThroughTunnel(peer: TopicPeer, repository: Repository, fetch: TipFetch): Promise<void> {
  const quarantine = await Quarantine.open(repository.gitDir, fetch.signal)
  try {
    const packHashes = await fetchThroughTunnel(peer, quarantine, fetch)
    // A pack without what was wanted is as good as none: another peer may have it.
    await checkTunnel({ repository, quarantine, packHashes, wants: fetch.wants })
    if (fetch.signal.aborted) throw new HelperError('interrupted', 'tunnel: not needed any more')
    await quarantine.release()
  } finally {
    await quarantine.close()
  }
}

async function isConnected({ gitDir }: Repository, oids: readonly string[]): Promise<boolean> {
  const quarantine = await Quarantine.open(gitDir)
  try {
    return await quarantine.areConnected(oids, [], true)
  } finally {
    await quarantine.close()
  }
}

/** The peer whose own records name most of what is missing, and what of it; waits for one; null if none comes. */
async function nextPeer(
  publication: Publication,
  missing: readonly string[],
  tried: ReadonlySet<TopicPeer>,
): Promise<{ peer: TopicPeer; wants: string[] } | null> {
  do {
    let best: { peer: TopicPeer; wants: string[] } | null = null
    for (const offer of publication.source.offers) {
      if (tried.has(offer.peer)) continue
      const offered = await offeredBy(offer, publication)
      const wants = missing.filter((oid) => offered.has(oid))
      if (wants.length > (best?.wants.length ?? 0)) best = { peer: offer.peer, wants }
    }
    if (best !== null) return best
  } while (await publication.source.more())
  return null
}

/** Oids in the documents that a peer's records name. */
async function offeredBy({ items }: PeerOffer, { contributions, folder }: Publication): Promise<Set<string>> {
  const writers = new Set(contributions.map(({ document }) => document.publisher))
  const offered = new Set<string>()
  for (const { key, value } of items) {
    const record = readOrNull(value)
    if (record?.type !== 'repository' || !writers.has(Buffer.from(key).toString('hex'))) continue
    const bytes = await folder.document(record.documentHash)
    for (const { oid } of bytes === null ? [] : decodeDocument(bytes).refs) if (oid !== null) offered.add(oid)
  }
  return offered
}

function readOrNull(value: Uint8Array) {
  try {
    return decodeRecord(value)
  } catch {
    return null
  }
}

/** The error for a publication that is larger than may come. */
export function tooLarge(name: string, lengthMax: number, got: string): HelperError {
  return new HelperError('limit', `'${name}': expected at most ${humanBytes(lengthMax)}, got ${got}, try --budget`)
}

/** True if peers tell of a newer record than the one that was read. */
export function isOutdated({ source, key, name, seq }: Publication): boolean {
  const salt = Buffer.from(repositorySalt(name))
  const isNewer = (item: MutableItem): boolean =>
    item.seq > seq && salt.equals(item.salt) && Buffer.compare(item.key, key) === 0
  return source.toldOf(isNewer).length > 0
}

/** Distinct oids that refs point at. */
export async function tipsOf(repository: Repository): Promise<string[]> {
  const listed = await runGit(repository.gitDir, ['for-each-ref', '--format=%(objectname)'])
  return [...new Set(listed.split('\n').filter(Boolean))]
}
