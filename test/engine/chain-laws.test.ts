/**
 * Goal: the chains of a repository are made of segments that depend on their ends alone: not on which branches are built
 * beside them or before them, nor on what was stored earlier, nor on the number of threads; each link holds what it says.
 * Method: random histories with branches, built as a user builds them, in two orders and in two steps; links are judged by
 * git rev-list (set differences), git fetch, git fsck and the reader that is made from the document.
 */

import assert from 'node:assert/strict'
import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import type { Oid } from '../../engine/index.ts'
import { buildChains } from '../../helper/build/chains.ts'
import type { NamedTip } from '../../helper/build/history.ts'
import { openRepository } from '../../helper/git/repository.ts'
import { git } from '../support/git.ts'
import { createRepository } from '../support/object-writer.ts'
import { difference, firstParentLine, fsckComplaints, reachableObjects } from '../support/oracles.ts'
import { readLink } from './format-reader.ts'
import type { WrittenHistory } from './histories.ts'
import { holdsForHistories } from './history-laws.ts'

interface BuiltLink {
  readonly tip: string
  readonly base: string | null
  readonly infohash: string
  readonly payload: Buffer
}

interface Built {
  /** SHA-256 of the body of every segment of every link, by name. */
  readonly segments: ReadonlyMap<string, string>
  /** Of every chain, newest first. */
  readonly chains: readonly (readonly BuiltLink[])[]
}

const SIZE = { commitCountMin: 50, commitCountMax: 70 }

async function build(directory: string, tips: readonly string[], threadCount: number): Promise<Built> {
  const named = tips.map((oid): NamedTip => ({ ref: oid, oid: oid as Oid }))
  const built = await buildChains(await openRepository(directory), named, { threadCount })
  const segments = new Map<string, string>()
  const chains: BuiltLink[][] = []
  for (const { links } of built.chains) {
    const read: BuiltLink[] = []
    for (const { plan, segments: bodies, infohash, lengthBytes, read: readBytes } of links) {
      for (const { name, sha256 } of bodies) segments.set(name, sha256)
      const payload = Buffer.from(await readBytes(0, lengthBytes))
      read.push({ tip: plan.tip, base: plan.base, infohash: Buffer.from(infohash).toString('hex'), payload })
    }
    chains.push(read)
  }
  await built.close()
  return { segments, chains }
}

/** The tips of all branches, the main line first. */
function branchTips({ tip, refs }: WrittenHistory): string[] {
  const others = [...refs].filter(([name, oid]) => name.startsWith('refs/heads/') && oid !== tip)
  return [tip, ...others.map(([, oid]) => oid)]
}

it('a link holds exactly the set difference of its ends, and git fetches the links as bundles, oldest first', () =>
  holdsForHistories(
    async ({ directory, objectFormat, tip }, scratch) => {
      const [links = []] = (await build(directory, [tip], 2)).chains
      const copy = join(scratch, 'copy')
      await createRepository(copy, objectFormat)
      const older = new Map<string, { type: string; bytes: Buffer }>()
      let below = new Set<string>()
      for (const { tip: top, payload } of [...links].reverse()) {
        const read = readLink(payload, objectFormat, older)
        const above = await reachableObjects(directory, [top])
        assert.deepEqual([...read.objects.keys()].sort(), [...difference(above, below)].sort())
        for (const [oid, object] of read.objects) older.set(oid, object)
        below = above
        const bundle = join(scratch, 'link.bundle')
        await writeFile(bundle, payload)
        await git(['bundle', 'verify', '--quiet', bundle], { directory: copy })
        await git(['fetch', '--quiet', bundle, 'refs/heads/*:refs/heads/*'], { directory: copy })
      }
      // The reader takes no object twice, so this is the disjoint union of all links.
      assert.deepEqual([...older.keys()].sort(), [...below].sort())
      const original = new Set(await fsckComplaints(directory))
      for (const complaint of await fsckComplaints(copy)) assert.ok(original.has(complaint), complaint)
    },
    { numRuns: 4, ...SIZE },
  ))

it('no segment depends on the branches that are built beside it, nor on their order', () => {
  let sharedCount = 0
  return holdsForHistories(
    async (history, scratch) => {
      const tips = branchTips(history)
      const copy = join(scratch, 'copy')
      await cp(history.directory, copy, { recursive: true })
      const forwards = await build(history.directory, tips, 1)
      const backwards = await build(copy, [...tips].reverse(), 1)
      for (const [name, sha256] of backwards.segments) {
        if (!forwards.segments.has(name)) continue
        assert.equal(sha256, forwards.segments.get(name), name)
        sharedCount++
      }
    },
    { numRuns: 3, ...SIZE },
  ).then(() => assert.ok(sharedCount > 20, `${sharedCount} segments compared`))
})

it('a history that was built in steps, by more threads, has the chain of one that was built at once', () =>
  holdsForHistories(
    async ({ directory, tip }, scratch) => {
      const line = await firstParentLine(directory, tip)
      const copy = join(scratch, 'copy')
      await cp(directory, copy, { recursive: true })
      const early = await build(copy, [line[line.length >> 1] ?? tip], 3)
      const grown = await build(copy, [tip], 2)
      const atOnce = await build(directory, [tip], 1)
      assert.deepEqual(grown, atOnce)
      for (const [name, sha256] of early.segments) {
        const kept = atOnce.segments.get(name)
        assert.ok(kept === undefined || kept === sha256)
      }
    },
    { numRuns: 2, ...SIZE },
  ))
