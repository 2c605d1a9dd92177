/**
 * What `status` and `list` show, in the form that goes over the socket and out of `--json`. Lengths are bytes, times
 * ISO 8601; ratio is bytes given by bytes taken, null while nothing was taken.
 */
import type { Net } from '../../net/index.ts'
import { formatAddress } from '../../net/index.ts'
import { withoutPassword } from '../trace.ts'
import type { KeptRepository, KeptState } from './kept-repository.ts'
import type { PublicationStatus } from './publication-status.ts'

export interface LinkStatus {
  readonly ref: string
  readonly infohash: string
  readonly tip: string
  readonly base: string | null
  readonly bytes: number
  readonly peers: number
  readonly uploaded: number
}

export interface SnapshotStatus {
  readonly commit: string
  readonly infohash: string
  readonly bytes: number
  readonly peers: number
  readonly uploaded: number
}

export interface RepositoryStatus {
  readonly path: string
  readonly gitDir: string
  readonly origin: string
  readonly claim: string
  readonly state: KeptState
  readonly detail: string
  /** Whether strangers may hear of it. */
  readonly public: boolean
  readonly peers: number
  readonly uploaded: number
  readonly downloaded: number
  readonly ratio: number | null
  readonly diskBytes: number
  readonly lastAnnounce: string | null
  readonly waysIn: readonly { readonly name: string; readonly failure: string | null }[]
  /** Exported folders that the origin names, as of the last fetch. */
  readonly mirrors: readonly string[]
  /** Where its folder is served over HTTP, null if nowhere. */
  readonly webseed: string | null
  readonly links: readonly LinkStatus[]
  /** Snapshots that are offered to clones of depth 1, newest first. */
  readonly snapshots: readonly SnapshotStatus[]
}

export interface DaemonStatus {
  readonly pid: number
  readonly startedAt: string
  readonly address: string | null
  readonly tracker: string | null
  /** host:port where the daemon is a web seed, null if nowhere. */
  readonly http: string | null
  readonly uploaded: number
  readonly downloaded: number
  readonly ratio: number | null
  readonly repositories: readonly RepositoryStatus[]
  readonly publications: readonly PublicationStatus[]
}

/** Puts the state of a daemon into words and numbers. */
export function describeDaemon(
  repositories: readonly KeptRepository[],
  {
    net,
    startedAtMs,
    tracker,
    httpAddress,
    publications,
  }: Pick<DaemonStatus, 'tracker' | 'publications'> & {
    net: Net
    startedAtMs: number
    httpAddress: Net['address']
  },
): DaemonStatus {
  const described = repositories.map(describeRepository)
  const uploaded = described.reduce((sum, repository) => sum + repository.uploaded, 0)
  const downloaded = described.reduce((sum, repository) => sum + repository.downloaded, 0)
  return {
    pid: process.pid,
    startedAt: new Date(startedAtMs).toISOString(),
    address: net.address === null ? null : formatAddress(net.address),
    tracker,
    http: httpAddress === null ? null : formatAddress(httpAddress),
    uploaded,
    downloaded,
    ratio: ratioOf(uploaded, downloaded),
    repositories: described,
    publications,
  }
}

export function describeRepository(kept: KeptRepository): RepositoryStatus {
  const { entry, topic } = kept
  const uploaded = entry.uploadedLength + kept.servedLength
  const ways = topic?.ways() ?? []
  const announcedAtMs = Math.max(
    0,
    ...ways.flatMap(({ failure, askedAtMs }) => (failure === null ? (askedAtMs ?? 0) : 0)),
  )
  return {
    path: entry.path,
    gitDir: entry.gitDir,
    origin: withoutPassword(kept.origin.url),
    claim: entry.claim,
    state: kept.state,
    detail: kept.detail,
    public: kept.isPublic,
    peers: topic?.peers().length ?? 0,
    uploaded,
    downloaded: entry.downloadedLength,
    ratio: ratioOf(uploaded, entry.downloadedLength),
    diskBytes: kept.storeLength,
    lastAnnounce: announcedAtMs === 0 ? null : new Date(announcedAtMs).toISOString(),
    mirrors: kept.mirrors.map(withoutPassword),
    webseed: kept.webUrl,
    waysIn: ways.map(({ name, failure }) => ({ name, failure })),
    links: kept.served.map(({ ref, link, seed }) => ({
      ref,
      infohash: Buffer.from(link.infohash).toString('hex'),
      tip: link.plan.tip,
      base: link.plan.base,
      bytes: link.lengthBytes,
      peers: seed.state().peerCount,
      uploaded: seed.state().servedLength,
    })),
    snapshots: kept.servedSnapshots.map(({ snapshot, seed }) => ({
      commit: snapshot.commit,
      infohash: Buffer.from(snapshot.infohash).toString('hex'),
      bytes: snapshot.lengthBytes,
      peers: seed.state().peerCount,
      uploaded: seed.state().servedLength,
    })),
  }
}

function ratioOf(uploaded: number, downloaded: number): number | null {
  return downloaded === 0 ? null : Math.round((uploaded * 1000) / downloaded) / 1000
}
