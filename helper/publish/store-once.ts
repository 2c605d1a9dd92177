/**
 * What is published lies on disk as packs of the isolated repository, for git, and as segments, for the swarm. Once enough
 * of it lies there twice, the repository adopts its chain: one kept pack then is both, and what is newer lies beside it until
 * there is enough of it again. The repository is ours alone, so nobody has to be asked.
 */
import { join } from 'node:path'
import { adopt } from '../adopt/adopt.ts'
import type { Chains } from '../build/chains.ts'
import { messageOf } from '../errors.ts'
import type { Repository } from '../git/repository.ts'
import { withLock } from '../store/lock-file.ts'
import type { Trace } from '../trace.ts'
import { TWICE_LENGTH_MIN, TWICE_SHARE_MIN } from './limits.ts'

/** Whether so much of the main line has bodies of its own that adopting it is worth an indexing of all. */
export function isStoredTwice({ chains: [main] }: Chains): boolean {
  if (main === undefined || main.links.at(-1)?.plan.base !== null) return false
  const segments = main.links.flatMap((link) => link.segments)
  const lengthOf = (some: typeof segments): number => some.reduce((sum, { length }) => sum + length, 0)
  const twice = lengthOf(segments.filter(({ pack }) => pack === null))
  return twice >= TWICE_LENGTH_MIN && twice >= lengthOf(segments) * TWICE_SHARE_MIN
}

/** Adopts; nobody may be reading its chains. Where it cannot be done, or another process is at it, all stays as it was. */
export async function storeOnce(repository: Repository, trace: Trace): Promise<void> {
  const lock = join(repository.gitDir, 'gittorrent', 'adopt.lock')
  await withLock(lock, 0, () => adopt(repository, { remote: 'origin', includeLocal: true, build: {}, trace })).catch(
    (error: unknown) => trace(() => `published twice on disk: ${messageOf(error)}`),
  )
}
