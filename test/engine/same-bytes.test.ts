/**
 * Goal: a history has the same segments however its repository is packed and laid out, however the work is cut and scheduled,
 * whatever is remembered or read at a time, whichever compressor of the norm runs, and however long it goes on.
 * Method: fast-check histories built twice, plainly and with one thing changed; each change is shown to have happened.
 */

import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { deflateReference } from '../../engine/deflate.ts'
import { deflatePartReference } from '../../engine/long-entry.ts'
import { newVerdict, pickDeflate, pickDeflateOnce } from '../../helper/build/deflate.ts'
import { git } from '../support/git.ts'
import { allObjects, firstParentLine } from '../support/oracles.ts'
import { randomNumbers } from '../support/random-numbers.ts'
import { buildLine, digestsOf, type HarnessOptions, TIGHT } from './harness.ts'
import type { WrittenHistory } from './histories.ts'
import { holdsForHistories } from './history-laws.ts'

async function digests(
  { directory, objectFormat, tip }: WrittenHistory,
  options: HarnessOptions = {},
): Promise<string[]> {
  return digestsOf(await buildLine(directory, objectFormat, tip, { parameters: TIGHT, ...options }))
}

let reorderedCount = 0
const next = randomNumbers(7)

/** A source that counts how often it did not pick the first. */
function pickAny(bound: number): number {
  const pick = next(bound)
  if (pick > 0) reorderedCount++
  return pick
}

const WAYS: Readonly<Record<string, HarnessOptions>> = {
  'tasks in random order': { pickTask: pickAny },
  'small tasks and batches in random order': {
    pickTask: pickAny,
    workSizes: { diffCommitCount: 3, batchCommitCount: 5 },
  },
  'nothing remembered, and objects read a few at a time': { cacheLengthMax: 1, pickRead: randomNumbers(8) },
  'no delta that waits for its turn': { pendingLengthMax: 1 },
  'objects too heavy for two workers': { heavyLength: 1 },
  'pako instead of the native zlib': { deflate: deflateReference, deflatePart: deflatePartReference },
}

it('the same bytes however the work is cut, scheduled, remembered and compressed', async () => {
  await holdsForHistories(
    async (history) => {
      const expected = await digests(history)
      for (const [name, way] of Object.entries(WAYS)) assert.deepEqual(await digests(history, way), expected, name)
    },
    { numRuns: 8 },
  )
  assert.ok(reorderedCount > 100, `${reorderedCount} tasks overtook another`)
  assert.notEqual(pickDeflate(), deflateReference)
})

it('the threads of a build try the native compressor once, and all use what the first of them found', () => {
  const verdict = newVerdict()
  assert.equal(pickDeflateOnce(verdict), pickDeflate())
  const [found] = new Int32Array(verdict)
  assert.equal(pickDeflateOnce(verdict), pickDeflate())
  // What is there counts: a later thread does not try for itself.
  new Int32Array(verdict).fill((found ?? 0) + 1)
  assert.equal(pickDeflateOnce(verdict), deflateReference)
})

/** Takes all packs out of a repository; returns their paths. */
async function takePacks({ directory }: WrittenHistory): Promise<string[]> {
  const folder = join(directory, 'objects', 'pack')
  const names = (await readdir(folder)).filter((name) => name.endsWith('.pack'))
  const aside = join(directory, 'aside')
  await mkdir(aside)
  for (const name of names) await rename(join(folder, name), join(aside, name))
  await rm(folder, { recursive: true })
  await mkdir(folder)
  return names.map((name) => join(aside, name))
}

/** Changes how a repository lies on disk, one after another, and show that it lies so. */
const LAYOUTS: Readonly<Record<string, (history: WrittenHistory) => Promise<void>>> = {
  'loose objects only': async (history) => {
    const { directory } = history
    for (const pack of await takePacks(history)) {
      await git(['unpack-objects', '-q'], { directory, input: await readFile(pack) })
    }
    assert.match(await git(['count-objects', '-v'], { directory }), /^packs: 0$/m)
  },
  'four packs under one index, with a bitmap': async ({ directory }) => {
    const oids = [...(await allObjects(directory)).keys()]
    for (let part = 0; part < 4; part++) {
      const input = oids.filter((_, index) => index % 4 === part).join('\n')
      await git(['pack-objects', '-q', join('objects', 'pack', 'pack')], { directory, input })
    }
    await git(['prune-packed', '-q'], { directory })
    await git(['multi-pack-index', 'write', '--bitmap'], { directory })
    assert.match(await git(['count-objects', '-v'], { directory }), /^count: 0$[\s\S]*^packs: 4$/m)
  },
  'one pack with short chains, a bitmap, a reverse index and a commit-graph': async ({ directory }) => {
    const config = { 'pack.writeReverseIndex': 'true', 'pack.indexVersion': '1' }
    await git(['repack', '-adfbq', '--depth=1', '--window=2'], { directory, config })
    await git(['commit-graph', 'write', '--reachable', '--changed-paths', '--split'], { directory })
    assert.match(await git(['count-objects', '-v'], { directory }), /^packs: 1$/m)
  },
  'packed refs, other branches, tags and a detached HEAD': async ({ directory, commits, tip }) => {
    await git(['update-ref', 'refs/heads/another', commits[0] ?? tip], { directory })
    await git(['update-ref', 'refs/tags/another', tip], { directory })
    await git(['pack-refs', '--all'], { directory })
    await git(['update-ref', '--no-deref', 'HEAD', tip], { directory })
    assert.deepEqual(await readdir(join(directory, 'refs', 'heads')), [])
  },
}

it('the same bytes from every packing and every layout of refs', () =>
  holdsForHistories(
    async (history) => {
      const expected = await digests(history)
      for (const [name, change] of Object.entries(LAYOUTS)) {
        await change(history)
        assert.deepEqual(await digests(history), expected, name)
      }
    },
    { numRuns: 6, commitCountMin: 10 },
  ))

it('a longer history keeps the segments of the shorter one', () =>
  holdsForHistories(
    async (history) => {
      const { directory, tip } = history
      const longer = await digests(history)
      const line = await firstParentLine(directory, tip)
      const shorter = await digests({ ...history, tip: line[line.length >> 1] ?? tip })
      // The last one ends at the tip, which need not be a checkpoint.
      assert.deepEqual(shorter.slice(0, -1), longer.slice(0, shorter.length - 1))
    },
    { numRuns: 12 },
  ))
