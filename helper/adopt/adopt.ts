/**
 * Adoption (DESIGN section 4): the links of the main line become one kept pack of the repository, from which segments are
 * served, and git repacks what is left around it; so seeding needs no second copy. Every step leaves a repository that
 * git reads and a store that serves; what a crash cuts off, the next adoption does again with the same bytes:
 *
 *   1 build what is missing   2 index all links in quarantine   3 move the pack over, `.keep` first, index last
 *   4 note in the table where each body lies, then drop its file   5 let go of older kept packs of ours   6 git repack
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { PACK_HEADER_LENGTH, writePackHeader } from '../../engine/index.ts'
import { buildChains, type Chain, type ChainOptions } from '../build/chains.ts'
import { publicTips, resolveTip } from '../build/history.ts'
import { HelperError, printable } from '../errors.ts'
import { plumbingEnvironment } from '../git/environment.ts'
import type { Repository } from '../git/repository.ts'
import { DISK_FREE_LENGTH_MIN, READ_CHUNK_LENGTH } from '../limits.ts'
import { humanBytes } from '../progress.ts'
import { Quarantine } from '../share/supply/quarantine.ts'
import type { SegmentStore } from '../store/segment-store.ts'
import type { Trace } from '../trace.ts'

/** What `index-pack --keep=gittorrent` writes; other words in a `.keep` are other people's. */
const KEEP_WORD = 'gittorrent'

/** Header and trailer of a pack, generously. */
const PACK_OVERHEAD_LENGTH = 1024

export interface AdoptOptions {
  readonly remote: string
  readonly includeLocal: boolean
  readonly build: ChainOptions
  readonly trace: Trace
}

/**
 * Replaces the packs of a repository by the chain of its main line and the rest.
 * @returns the name of the kept pack
 * @throws HelperError 'repository-unusable' (shallow, partial, borrowing, without checkpoints), 'limit' (disk), 'git-failed'
 */
export async function adopt(repository: Repository, options: AdoptOptions): Promise<string> {
  const { gitDir, path } = repository
  const { trace } = options
  if (existsSync(join(gitDir, 'objects', 'info', 'alternates'))) {
    throw unusable(path, 'objects of its own', 'one that borrows them, try `git repack -ad` without alternates')
  }
  const tips = await publicTips(repository, options.remote, options.includeLocal)
  const main = tips[0] ?? (await resolveTip(repository, 'HEAD'))
  const chains = await buildChains(repository, [main, ...tips.slice(1)], options.build)
  try {
    trace(() => 'adopt: built')
    const [chain] = chains.chains
    if (chain === undefined || chain.links.at(-1)?.plan.base !== null) {
      throw unusable(path, 'a checkpoint', 'none yet, try again when it has more commits')
    }
    await requireRoomFor(chain, gitDir)
    const pack = await keepChain(chain, repository, trace)
    await noteBodies(chain, pack, chains.store)
    trace(() => 'adopt: noted')
    await letGo(gitDir, (name) => name !== pack)
    trace(() => 'adopt: repacking')
    await repack(gitDir)
    trace(() => 'adopt: repacked')
    return pack
  } finally {
    await chains.close()
  }
}

/** Gives all objects back to git: no pack of ours is kept, everything is packed anew. Bodies are built again when needed. */
export async function undoAdoption(repository: Repository, trace: Trace): Promise<void> {
  await letGo(repository.gitDir, () => true)
  trace(() => 'adopt: repacking')
  await repack(repository.gitDir)
}

async function keepChain(chain: Chain, { gitDir, objectFormat }: Repository, trace: Trace): Promise<string> {
  const links = [...chain.links].reverse()
  const header = new Uint8Array(PACK_HEADER_LENGTH)
  writePackHeader(
    header,
    0,
    links.reduce((sum, { objectCount }) => sum + objectCount, 0),
  )
  const hash = createHash(objectFormat).update(header)
  const quarantine = await Quarantine.open(gitDir)
  try {
    const lengthMax = links.reduce((sum, { lengthBytes }) => sum + lengthBytes, PACK_OVERHEAD_LENGTH)
    const indexer = quarantine.index({
      keep: true,
      isWholeHistory: true,
      checksLinks: true,
      lengthMax,
      fsckObjects: false,
    })
    trace(() => 'adopt: indexing')
    await indexer.write(header)
    for await (const bytes of bodiesOf(chain)) {
      hash.update(bytes)
      await indexer.write(bytes)
    }
    await indexer.write(hash.digest())
    const pack = `pack-${await indexer.finish()}.pack`
    trace(() => 'adopt: indexed')
    await quarantine.release()
    trace(() => 'adopt: released')
    return pack
  } finally {
    await quarantine.close()
  }
}

/** All bodies of a chain, from the roots on. */
async function* bodiesOf({ links }: Chain): AsyncGenerator<Uint8Array> {
  for (const link of [...links].reverse()) {
    const { start, end } = link.bodies
    for (let at = start; at < end; at += READ_CHUNK_LENGTH) yield link.read(at, Math.min(READ_CHUNK_LENGTH, end - at))
  }
}

async function noteBodies({ links }: Chain, pack: string, store: SegmentStore): Promise<void> {
  let offset = PACK_HEADER_LENGTH
  for (const { plan, segments } of [...links].reverse()) {
    for (const [index, segmentPlan] of plan.segments.entries()) {
      const segment = segments[index]
      if (segment === undefined) break
      const { objectCount, commitCount, length, sha256 } = segment
      await store.recordInPack(segmentPlan, { objectCount, commitCount, length, sha256, pack, offset })
      await store.dropFile(segmentPlan)
      offset += length
    }
  }
}

/** Removes our word from kept packs, so that the next repack takes them in. */
async function letGo(gitDir: string, isWanted: (pack: string) => boolean): Promise<void> {
  const folder = join(gitDir, 'objects', 'pack')
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.keep') || !isWanted(name.replace(/keep$/, 'pack'))) continue
    const word = await readFile(join(folder, name), 'utf8')
    if (word.trim() === KEEP_WORD) await rm(join(folder, name))
  }
}

/** Without a bitmap, for which git would pack kept objects a second time; the user's next gc may write one. */
function repack(gitDir: string): Promise<void> {
  const args = ['--git-dir', gitDir, 'repack', '-A', '-d', '-l', '-q', '--no-write-bitmap-index']
  return new Promise((resolve, reject) => {
    execFile('git', args, { env: plumbingEnvironment(), encoding: 'utf8' }, (error, _, stderr) => {
      if (error === null) resolve()
      else reject(new HelperError('git-failed', `git repack: ${printable(stderr.trim() || error.message)}`, {}, error))
    })
  })
}

async function requireRoomFor({ links }: Chain, gitDir: string): Promise<void> {
  const needed = links.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0) + DISK_FREE_LENGTH_MIN
  const { bavail, bsize } = await statfs(gitDir)
  if (bavail * bsize >= needed) return
  const message = `disk: expected ${humanBytes(needed)} free, got ${humanBytes(bavail * bsize)}, try to make room`
  throw new HelperError('limit', message)
}

function unusable(path: string, expected: string, got: string): HelperError {
  return new HelperError('repository-unusable', `repository '${path}': expected ${expected}, got ${got}`)
}
