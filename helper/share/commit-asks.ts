/**
 * Which link holds a commit, for those who ask as the first GitTorrent did (net/PROTOCOL.md section 7): the one with the
 * oldest segment whose tip reaches it. Checkpoints are in a table; for other commits git is asked, one question at a
 * time, about published checkpoints only, so that what is not published is as unknown as what does not exist.
 */

import { execFile } from 'node:child_process'
import type { Oid } from '../../engine/index.ts'
import type { FindByName } from '../../net/index.ts'
import type { Chains } from '../build/chains.ts'
import { plumbingEnvironment } from '../git/environment.ts'
import { ASK_CHAIN_COUNT_MAX, ASK_GIT_TIMEOUT_MS, ASK_PARALLEL_COUNT } from '../limits.ts'

interface Place {
  readonly tip: Oid
  readonly infohash: Uint8Array
}

interface Index {
  /** Of each chain, oldest segment first. */
  readonly lines: readonly (readonly Place[])[]
  readonly infohashByTip: ReadonlyMap<string, Uint8Array>
}

/** Finds commits in the links of some chains; only names of 20 bytes can be asked for, so SHA-256 has none. */
export function commitFinder({ chains, repository }: Pick<Chains, 'chains' | 'repository'>): FindByName {
  let index: Index | null = null
  let openCount = 0
  return async (name) => {
    const oid = Buffer.from(name).toString('hex')
    // Most that serve are never asked, and the index of a long history is large.
    index ??= indexOf(chains)
    const known = index.infohashByTip.get(oid)
    if (known !== undefined || repository.objectFormat !== 'sha1' || openCount >= ASK_PARALLEL_COUNT)
      return known ?? null
    openCount += 1
    try {
      if (!(await succeeds(repository.gitDir, ['cat-file', '-e', `${oid}^{commit}`]))) return null
      for (const places of index.lines.slice(0, ASK_CHAIN_COUNT_MAX)) {
        const place = await oldestThatReaches(oid, places, repository.gitDir)
        if (place !== null) return place.infohash
      }
      return null
    } finally {
      openCount -= 1
    }
  }
}

function indexOf(chains: Chains['chains']): Index {
  const lines = chains.map(({ links }) => placesOf(links))
  const entries = lines.flat().map(({ tip, infohash }): [string, Uint8Array] => [tip, infohash])
  return { lines, infohashByTip: new Map(entries) }
}

/** Tips of segments, oldest first. */
function placesOf(links: Chains['chains'][number]['links']): Place[] {
  return [...links]
    .reverse()
    .flatMap(({ plan, infohash }) => plan.segments.map(({ tip }): Place => ({ tip, infohash })))
}

async function oldestThatReaches(oid: string, places: readonly Place[], gitDir: string): Promise<Place | null> {
  const reaches = (index: number): Promise<boolean> =>
    succeeds(gitDir, ['merge-base', '--is-ancestor', oid, places[index]?.tip ?? ''])
  let last = places.length - 1
  if (last < 0 || !(await reaches(last))) return null
  for (let first = 0; first < last; ) {
    const middle = (first + last) >> 1
    if (await reaches(middle)) last = middle
    else first = middle + 1
  }
  return places[last] ?? null
}

/** True if a git command ends well in time. */
function succeeds(gitDir: string, args: readonly string[]): Promise<boolean> {
  const options = { env: plumbingEnvironment(), timeout: ASK_GIT_TIMEOUT_MS }
  return new Promise((resolve) => {
    execFile('git', ['--git-dir', gitDir, ...args], options, (error) => resolve(error === null))
  })
}
