/**
 * Brings the isolated repository of a publication to the refs that were signed: chains from the swarm first, where peers
 * have some, then the tunnel, both into quarantine; refs move together, when everything they reach is there, and not before.
 * Peers are asked only for what their own records name, and told of nothing but tips that this publisher published.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type MutableItem, type Net, NetError, type TopicPeer } from '../../net/index.ts'
import type { GitConfig, Settings } from '../config.ts'
import { HelperError, messageOf } from '../errors.ts'
import { type Repository, runGit } from '../git/repository.ts'
import { humanBytes, type Progress } from '../progress.ts'
import { fsckWanted } from '../share/supply/fsck.ts'
import { Quarantine } from '../share/supply/quarantine.ts'
import { raceOfPeers } from '../share/supply/race-of-peers.ts'
import { swarmSupplyOn } from '../share/supply/swarm-supply.ts'
import type { Trace } from '../trace.ts'
import type { PeerOffer } from './find-records.ts'
import {
  PUBLISHER_LOCK_PATIENCE_MS,
  REF_LOCK_ATTEMPT_COUNT_MAX,
  REF_LOCK_DELAY_MS,
  REREAD_COUNT_MAX,
  TIP_ALIVE_LENGTH,
  TIP_BUSY_COUNT_MAX,
  TIP_BUSY_PAUSE_MS,
  TIP_PATIENCE_MS,
} from './limits.ts'
import { delegateSalt, repositorySalt } from './names.ts'
import type { Publication } from './reader.ts'
import { decodeRecord } from './record.ts'
import { decodeDocument } from './refs-document.ts'
import { fetchThroughTunnel, type TipFetch } from './tip-fetch.ts'

export interface SyncSurroundings {
  readonly net: Net
  readonly config: GitConfig
  readonly settings: Settings
  readonly trace: Trace
  readonly signal: AbortSignal
  readonly progress: Progress
}

export interface SyncOutcome {
  /** What the repository follows now: what was given, or newer words that peers told of meanwhile. */
  readonly publication: Publication
  readonly repository: Repository
  readonly bytesFromPeers: number
}

/** Reads what is published again, from the peers of `earlier` and those that have come since. */
export type ReadAgain = (earlier: Publication) => Promise<Publication>

/**
 * Synchronises; does nothing but look if all is there. Who answered first may have been behind: when a newer record turns up
 * on the way, that one counts. @throws HelperError not-published
 */
export async function syncPublication(
  given: Publication,
  readAgain: ReadAgain,
  around: SyncSurroundings,
): Promise<SyncOutcome> {
  let publication = given
  let bytesFromPeers = 0
  for (let count = 0; ; count++) {
    const mayReadAgain = count < REREAD_COUNT_MAX
    const repository = await publication.folder.openRepository(publication.name, publication.record.objectFormat)
    try {
      bytesFromPeers += await bringObjects(publication, repository, around)
    } catch (error) {
      if (!mayReadAgain || around.signal.aborted || !isOutdated(publication)) throw error
    }
    if (!mayReadAgain || !isOutdated(publication)) {
      await moveRefsUnlessOvertaken(publication, repository)
      return { publication, repository, bytesFromPeers }
    }
    around.trace(() => `'${publication.name}': a record newer than seq ${publication.seq} has turned up`)
    publication = await readAgain(publication)
  }
}

function moveRefsUnlessOvertaken(publication: Publication, repository: Repository): Promise<void> {
  return publication.folder.exclusively(PUBLISHER_LOCK_PATIENCE_MS, async () => {
    if (!(await isOvertaken(publication))) await moveRefs(repository, publication)
  })
}

/** Brings what the refs reach; returns the bytes that came. @throws HelperError not-published */
async function bringObjects(
  publication: Publication,
  repository: Repository,
  around: SyncSurroundings,
): Promise<number> {
  const known = await tipsOf(repository)
  const missing = await missingOf(repository, [...new Set(publication.refs.map(({ oid }) => oid))])
  if (missing.length === 0) return 0
  const bytesOfChains = await bringChains(publication, repository, known, around)
  return bytesOfChains + (await bringRest(publication, repository, known, around))
}

/** True if peers tell of a newer record than the one that was read. */
function isOutdated({ source, key, name, seq }: Publication): boolean {
  const salt = Buffer.from(repositorySalt(name))
  const isNewer = (item: MutableItem): boolean =>
    item.seq > seq && salt.equals(item.salt) && Buffer.compare(item.key, key) === 0
  return source.toldOf(isNewer).length > 0
}

/** True if newer words than those of this publication were signed or accepted here while its objects came. */
async function isOvertaken({ folder, name, contributions }: Publication): Promise<boolean> {
  const memory = await folder.memory()
  return contributions.some(({ document, seq, delegate }) => {
    const salt = delegate === null ? repositorySalt(name) : delegateSalt(folder.id, name)
    return (memory.item(Buffer.from(document.publisher, 'hex'), salt)?.seq ?? seq) > seq
  })
}

async function tipsOf(repository: Repository): Promise<string[]> {
  const listed = await runGit(repository.gitDir, ['for-each-ref', '--format=%(objectname)'])
  return [...new Set(listed.split('\n').filter(Boolean))]
}

async function missingOf(repository: Repository, oids: readonly string[]): Promise<string[]> {
  if (oids.length === 0) return []
  const answers = await runGit(repository.gitDir, ['cat-file', '--batch-check'], `${oids.join('\n')}\n`)
  return answers.split('\n').flatMap((line) => (line.endsWith(' missing') ? [line.split(' ')[0] ?? ''] : []))
}

/** Whatever goes wrong here only means that the tunnel brings more. */
async function bringChains(
  { topic, refs, head }: Publication,
  { gitDir, objectFormat }: Repository,
  known: readonly string[],
  { net, config, settings, trace, signal, progress }: SyncSurroundings,
): Promise<number> {
  const origin = {
    kind: 'origin',
    scheme: 'file',
    url: gitDir,
    user: null,
    host: '',
    port: null,
    path: gitDir,
  } as const
  const warn = (text: string): void => trace(() => text)
  const supply = swarmSupplyOn(net, topic, { origin, gitDir, config, settings, trace, warn, signal })
  try {
    await mkdir(join(gitDir, 'gittorrent', 'incoming'), { recursive: true })
    const wanted = new Map(refs.map(({ name, oid }) => [name, oid]))
    const plain = {
      isShallow: false,
      isClone: known.length === 0,
      isUnshallow: false,
      haves: known,
      progress,
      signal,
    }
    const wants = [...new Set(wanted.values())]
    const result = await supply.bring({ gitDir, origin: gitDir, objectFormat, wants, refs: wanted, head, ...plain })
    // A ref keeps what came until the real ones move; they reach it.
    await Promise.all(result.haves.map((oid) => runGit(gitDir, ['update-ref', `refs/gittorrent/swarm/${oid}`, oid])))
    return result.bytesFromPeers
  } catch (error) {
    trace(() => `chains: ${messageOf(error)}`)
    return 0
  }
}

/** The rest, through tunnels: each peer's pack waits in a quarantine of its own until all that it was asked for is there. */
async function bringRest(
  publication: Publication,
  repository: Repository,
  known: readonly string[],
  around: SyncSurroundings,
): Promise<number> {
  const { trace, config, signal, progress } = around
  const haves = [...new Set([...known, ...(await tipsOf(repository))])]
  const wanted = [...new Set(publication.refs.map(({ oid }) => oid))]
  const checked = new Set<string>()
  const tried = new Set<TopicPeer>()
  const wantsOf = new Map<TopicPeer, string[]>()
  let missing = await missingOf(repository, wanted)
  let bytes = 0
  const onBytes = (count: number): void => {
    bytes += count
    progress.update('Receiving from peers', humanBytes(bytes))
  }
  const attempt = async (peer: TopicPeer, over: AbortSignal): Promise<readonly string[]> => {
    const { objectFormat } = repository
    const wants = wantsOf.get(peer) ?? []
    const fetch = { objectFormat, wants, haves, fsckObjects: fsckWanted(config), onBytes, signal: over }
    try {
      await bringThroughTunnel(peer, repository, fetch)
      return wants
    } catch (error) {
      // Who was merely overtaken may be asked for something else.
      if (over.aborted) tried.delete(peer)
      else trace(() => `tunnel to ${peer.remote.host}:${peer.remote.port}: ${messageOf(error)}`)
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
  const isWhole =
    missing.length === 0 && (wanted.every((oid) => checked.has(oid)) || (await isConnected(repository, wanted)))
  if (!isWhole) {
    const got = missing.length > 0 ? `${missing.length} of ${wanted.length} missing` : 'history with holes'
    throw new HelperError(
      'not-published',
      `'${publication.name}': expected all refs from its peers, got ${got}, try later`,
    )
  }
  progress.done('Receiving from peers', humanBytes(bytes))
  return bytes
}

/** Brings what was asked for into the repository, whole or not at all. */
async function bringThroughTunnel(peer: TopicPeer, { gitDir }: Repository, fetch: TipFetch): Promise<void> {
  const quarantine = await Quarantine.open(gitDir)
  try {
    for (let count = 0; ; count++) {
      try {
        await fetchThroughTunnel(peer, quarantine, fetch)
        break
      } catch (error) {
        const isBusy = error instanceof NetError && error.data.reason === 'busy'
        if (!isBusy || count === TIP_BUSY_COUNT_MAX || fetch.signal.aborted) throw error
      }
      await new Promise((resolve) => setTimeout(resolve, TIP_BUSY_PAUSE_MS))
    }
    // A pack without what was wanted is as good as none: another peer may have it.
    if (!(await quarantine.areConnected(fetch.wants, [], true)))
      throw new HelperError('origin-protocol', 'tunnel: expected all that was wanted, got history with holes')
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

/** Moves refs, again if another run of ours holds a lock just now. */
async function moveRefs(repository: Repository, publication: Publication): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await moveRefsOnce(repository, publication)
    } catch (error) {
      if (attempt >= REF_LOCK_ATTEMPT_COUNT_MAX) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, attempt * REF_LOCK_DELAY_MS))
  }
}

/** All changes in one transaction; refs that are published no more go. */
async function moveRefsOnce({ gitDir }: Repository, { refs, head }: Publication): Promise<void> {
  const listed = await runGit(gitDir, ['for-each-ref', '--format=%(objectname) %(refname)'])
  const held = new Map(listed.split('\n').flatMap((line) => [[line.slice(line.indexOf(' ') + 1), line.split(' ')[0]]]))
  const wanted = new Set(refs.map(({ name }) => name))
  const gone = [...held.keys()].filter((name) => name !== '' && !wanted.has(name)).map((name) => `delete ${name}\n`)
  const changed = refs.flatMap(({ name, oid }) => (held.get(name) === oid ? [] : [`update ${name} ${oid}\n`]))
  // A branch may stand where a folder of branches stood: what goes, goes first.
  if (gone.length > 0) await runGit(gitDir, ['update-ref', '--stdin'], gone.join(''))
  if (changed.length > 0) await runGit(gitDir, ['update-ref', '--stdin'], changed.join(''))
  if (changed.length > MANY_REFS) await runGit(gitDir, ['pack-refs', '--all'])
  if (head !== null) await runGit(gitDir, ['symbolic-ref', 'HEAD', head])
}

/** From so many changes on, refs are packed: a file each would slow every later reader. */
const MANY_REFS = 500
