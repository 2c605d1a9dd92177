/**
 * Brings the isolated repository of a publication to the refs that were signed: chains from the swarm first, where peers
 * have some, then the tunnel, both into quarantine; refs move together, when everything they reach is there, and not before.
 * Peers are asked only for what their own records name, and told of nothing but tips that this publisher published.
 */
import { mkdir } from 'node:fs/promises'
import type { Net } from '../../net/index.ts'
import type { GitConfig, Settings } from '../config.ts'
import { messageOf } from '../errors.ts'
import { missingOf } from '../git/missing-objects.ts'
import { lengthOfObjects, type Repository, runGit } from '../git/repository.ts'
import { humanBytes, type Progress } from '../progress.ts'
import { swarmSupplyOn } from '../share/supply/swarm-supply.ts'
import { incomingFolder } from '../store/incoming-folder.ts'
import type { Trace } from '../trace.ts'
import { bringRest, isOutdated, tipsOf, tooLarge } from './bring-rest.ts'
import {
  PUBLISHER_LOCK_PATIENCE_MS,
  REF_LOCK_ATTEMPT_COUNT_MAX,
  REF_LOCK_DELAY_MS,
  REREAD_COUNT_MAX,
} from './limits.ts'
import { delegateSalt, repositorySalt } from './names.ts'
import type { Publication } from './reader.ts'

export interface SyncSurroundings {
  readonly net: Net
  readonly config: GitConfig
  readonly settings: Settings
  readonly trace: Trace
  readonly signal: AbortSignal
  readonly progress: Progress
  /** Bytes of objects that may come; unbounded unless given. */
  readonly lengthMax?: number | undefined
}

export interface SyncOutcome {
  /** What the repository follows now: what was given, or newer words that peers told of meanwhile. */
  readonly publication: Publication
  readonly repository: Repository
  readonly bytesFromPeers: number
  /** Whether a ref moved. */
  readonly hasMoved: boolean
}

/** Reads what is published again, from the peers of `earlier` and those that have come since. */
export type ReadAgain = (earlier: Publication) => Promise<Publication>

/**
 * Synchronises; does nothing but look if all is there. Who answered first may have been behind: when a newer record turns up
 * on the way, that one counts. @throws HelperError not-published; limit if more would come than may
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
      const hasMoved = await moveRefsUnlessOvertaken(publication, repository)
      return { publication, repository, bytesFromPeers, hasMoved }
    }
    around.trace(() => `'${publication.name}': a record newer than seq ${publication.seq} has turned up`)
    publication = await readAgain(publication)
  }
}

/** Returns whether one moved. */
function moveRefsUnlessOvertaken(publication: Publication, repository: Repository): Promise<boolean> {
  return publication.folder.exclusively(PUBLISHER_LOCK_PATIENCE_MS, async () => {
    return !(await isOvertaken(publication)) && (await moveRefs(repository, publication))
  })
}

/** Brings what the refs reach; returns the bytes that came. @throws HelperError not-published, limit */
async function bringObjects(
  publication: Publication,
  repository: Repository,
  around: SyncSurroundings,
): Promise<number> {
  const known = await tipsOf(repository)
  const missing = await missingOf(repository, [...new Set(publication.refs.map(({ oid }) => oid))])
  if (missing.length === 0) return 0
  await refuseIfTooLarge(publication, repository, around)
  const bytesOfChains = await bringChains(publication, repository, known, around)
  const lengthMax = (around.lengthMax ?? Number.POSITIVE_INFINITY) - bytesOfChains
  return bytesOfChains + (await bringRest(publication, repository, known, { ...around, lengthMax }))
}

/** What the publisher's record claims is looked at before anything comes. @throws HelperError limit */
async function refuseIfTooLarge(
  { record, name }: Publication,
  repository: Repository,
  { lengthMax = Number.POSITIVE_INFINITY }: SyncSurroundings,
): Promise<void> {
  const claimed = (record.objectsLength ?? 0) - (await lengthOfObjects(repository))
  if (claimed > lengthMax) throw tooLarge(name, lengthMax, humanBytes(claimed))
}

/** True if newer words than those of this publication were signed or accepted here while its objects came. */
async function isOvertaken({ folder, name, contributions }: Publication): Promise<boolean> {
  const memory = await folder.memory()
  return contributions.some(({ document, seq, delegate }) => {
    const salt = delegate === null ? repositorySalt(name) : delegateSalt(folder.id, name)
    return (memory.item(Buffer.from(document.publisher, 'hex'), salt)?.seq ?? seq) > seq
  })
}

/** Whatever goes wrong here only means that the tunnel brings more. */
async function bringChains(
  { topic, refs, head }: Publication,
  { gitDir, objectFormat }: Repository,
  known: readonly string[],
  { net, config, settings, trace, signal, progress, lengthMax }: SyncSurroundings,
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
    await mkdir(incomingFolder(gitDir), { recursive: true })
    const wanted = new Map(refs.map(({ name, oid }) => [name, oid]))
    const plain = {
      isShallow: false,
      isClone: known.length === 0,
      isUnshallow: false,
      haves: known,
      lengthMax,
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

/** Moves refs, again if another run of ours holds a lock just now. */
async function moveRefs(repository: Repository, publication: Publication): Promise<boolean> {
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
async function moveRefsOnce({ gitDir }: Repository, { refs, head }: Publication): Promise<boolean> {
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
  return gone.length + changed.length > 0
}

/** From so many changes on, refs are packed: a file each would slow every later reader. */
const MANY_REFS = 500
