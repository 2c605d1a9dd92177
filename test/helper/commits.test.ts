/**
 * Goal: commits are the same wherever they are read from: git's commit-graph (whole, split, half), our own table, the
 * objects; and a file that is damaged, or may hold rewritten parents, is left alone.
 * Method: histories with merges of every kind, compared with what git prints; objects are moved away to show which file
 * was read, and files are damaged byte by byte, with their checksum made good again or not.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { generateRepository } from '../../bench/generate-repository.ts'
import { CommitGraph, type CommitTable, EngineError, type ObjectFormat, parseCommitGraph } from '../../engine/index.ts'
import { readCommits } from '../../helper/git/commits.ts'
import { historyOfSeed, writeHistory } from '../engine/histories.ts'
import { git } from '../support/git.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'

interface Sample {
  readonly directory: string
  readonly objectFormat: ObjectFormat
  readonly tip: string
  /** What git prints of every commit: name, tree, parents. */
  readonly expected: string
}

async function withHistory(objectFormat: ObjectFormat, use: (sample: Sample) => Promise<void>): Promise<void> {
  await withTemporaryDirectory(async (scratch) => {
    const description = historyOfSeed(7, { commitCountMin: 60, commitCountMax: 90, objectFormat })
    const { directory, tip } = await writeHistory(join(scratch, 'r'), description)
    await use({ directory, objectFormat, tip, expected: await printedByGit(directory, tip) })
  })
}

async function printedByGit(directory: string, tip: string): Promise<string> {
  const lines = (await git(['log', '--format=%H %T %P', tip], { directory })).split('\n')
  return lines
    .map((line) => line.trimEnd())
    .sort()
    .join('\n')
}

/** Every commit reachable from the tip, in the same form. */
async function printedByUs({ directory, objectFormat, tip }: Omit<Sample, 'expected'>): Promise<string> {
  const graph = new CommitGraph(objectFormat)
  await readCommits(directory, [tip], graph)
  const seen = new Set<string>()
  const pending = [tip]
  const lines: string[] = []
  for (let oid = pending.pop(); oid !== undefined; oid = pending.pop()) {
    if (seen.has(oid)) continue
    seen.add(oid)
    const number = graph.numberOf(oid)
    const parents = Array.from({ length: graph.parentCountOf(number) }, (_, at) =>
      graph.oidOf(graph.parentOf(number, at)),
    )
    lines.push([oid, graph.treeOf(number), ...parents].join(' '))
    pending.push(...parents)
  }
  return lines.sort().join('\n')
}

/** Every commit of a table with its tree and the numbers of its parents. */
function namesOf(table: CommitTable): string[] {
  return Array.from({ length: table.count }, (_, commit) => {
    const name = table.oids.subarray(commit * table.hashLength, (commit + 1) * table.hashLength)
    const parents = Array.from({ length: table.parentCountOf(commit) }, (_, at) => table.parentOf(commit, at))
    return [Buffer.from(name).toString('hex'), Buffer.from(table.treeOf(commit)).toString('hex'), ...parents].join(' ')
  })
}

const graphOf = (directory: string): string => join(directory, 'objects', 'info', 'commit-graph')

/** Leaves a repository without objects, so that only tables can answer. */
async function hideObjects(directory: string): Promise<void> {
  await git(['repack', '-adq'], { directory })
  await git(['prune-packed', '-q'], { directory })
  await rename(join(directory, 'objects', 'pack'), join(directory, 'pack-hidden'))
}

/** Writes `bytes` as a commit-graph with a checksum that fits. */
async function writeSealed(path: string, bytes: Uint8Array, format: ObjectFormat): Promise<void> {
  const end = bytes.length - (format === 'sha1' ? 20 : 32)
  bytes.set(createHash(format).update(bytes.subarray(0, end)).digest(), end)
  await rm(path, { force: true })
  await writeFile(path, bytes)
}

for (const format of ['sha1', 'sha256'] as const) {
  it(`${format}: the objects say what git says`, () =>
    withHistory(format, async (sample) => assert.equal(await printedByUs(sample), sample.expected)))

  it(`${format}: a commit-graph says the same, and no object is read`, () =>
    withHistory(format, async (sample) => {
      await git(['commit-graph', 'write', '--reachable'], { directory: sample.directory })
      await hideObjects(sample.directory)
      assert.equal(await printedByUs(sample), sample.expected)
    }))

  it(`${format}: a split commit-graph of an older tip and the commits above it say the same`, () =>
    withHistory(format, async (sample) => {
      const { directory, tip } = sample
      const line = (await git(['rev-list', '--first-parent', tip], { directory })).split('\n')
      assert.ok(line.length > 8)
      for (const distance of [7, 5, 3]) {
        await git(['commit-graph', 'write', '--split=no-merge', '--stdin-commits'], {
          directory,
          input: `${line[distance]}\n`,
        })
      }
      const chain = await readFile(join(directory, 'objects', 'info', 'commit-graphs', 'commit-graph-chain'), 'latin1')
      assert.ok(chain.trim().split('\n').length > 1, chain)
      assert.equal(await printedByUs(sample), sample.expected)
      await hideObjects(directory)
      const older = { ...sample, tip: line[3] ?? '' }
      const expected = new Set((await printedByUs(older)).split('\n'))
      for (const printed of expected) assert.ok(sample.expected.includes(printed))
    }))
}

it('a commit-graph with a wrong checksum is left alone', () =>
  withHistory('sha1', async (sample) => {
    const path = graphOf(sample.directory)
    await git(['commit-graph', 'write', '--reachable'], { directory: sample.directory })
    const good = await readFile(path)
    await chmod(path, 0o644)
    for (let at = 0; at < good.length; at += 97) {
      const bad = Uint8Array.from(good)
      bad[at] = (bad[at] ?? 0) ^ 0x11
      await writeFile(path, bad)
      const graph = new CommitGraph('sha1')
      await git(['config', 'core.commitGraph', 'false'], { directory: sample.directory })
      await readCommits(sample.directory, [sample.tip], graph)
      assert.equal(graph.count, sample.expected.split('\n').length, `byte ${at}`)
    }
    assert.equal(await printedByUs(sample), sample.expected)
  }))

it('a commit-graph that is odd in its frame is refused, never misread', () =>
  withHistory('sha1', async ({ directory, objectFormat }) => {
    await git(['commit-graph', 'write', '--reachable'], { directory })
    const good = await readFile(graphOf(directory))
    const expected = namesOf(parseCommitGraph([good], objectFormat))
    const frameLength = 8 + 12 * ((good[6] ?? 0) + 1)
    let refused = 0
    for (let at = 0; at < frameLength; at++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const bad = Uint8Array.from(good)
        bad[at] = (bad[at] ?? 0) ^ flip
        try {
          // What is not refused is a chunk that we do not read.
          assert.deepEqual(namesOf(parseCommitGraph([bad], objectFormat)), expected, `byte ${at}`)
        } catch (error) {
          if (!(error instanceof EngineError)) throw error
          assert.equal(error.code, 'table-malformed')
          refused++
        }
      }
    }
    assert.ok(refused > frameLength)
    for (const length of [0, 7, 20, frameLength, good.length - 300]) {
      assert.throws(() => parseCommitGraph([good.subarray(0, length)], objectFormat), { code: 'table-malformed' })
    }
  }))

it('where grafts or replace refs exist, a commit-graph is not believed, by us or by the git that we ask', () =>
  withHistory('sha1', async (sample) => {
    const { directory, tip } = sample
    const path = graphOf(directory)
    await git(['commit-graph', 'write', '--reachable'], { directory })
    const lying = Uint8Array.from(await readFile(path))
    // The last commits of CDAT get another tree: the chunk ends before the next one, whose offset the table has.
    const view = new DataView(lying.buffer)
    const dataEnd = view.getUint32(8 + 12 * 3 + 8)
    for (let index = 1; index <= 40; index++) lying[dataEnd - index * 36] = (lying[dataEnd - index * 36] ?? 0) ^ 0xff
    await writeSealed(path, lying, 'sha1')
    assert.notEqual(await printedByUs(sample), sample.expected)
    const line = (await git(['rev-list', '--first-parent', tip], { directory })).split('\n')
    await git(['replace', '-f', line[1] ?? '', line[2] ?? ''], { directory })
    assert.equal(await printedByUs(sample), sample.expected)
    await git(['replace', '-d', line[1] ?? ''], { directory })
    await mkdir(join(directory, 'info'), { recursive: true })
    await writeFile(join(directory, 'info', 'grafts'), `${line[2]}\n`)
    assert.equal(await printedByUs(sample), sample.expected)
  }))

it('a history without a commit-graph leaves a table of ours behind, which is enough, and is renewed when damaged', () =>
  withTemporaryDirectory(async (scratch) => {
    const directory = join(scratch, 'r.git')
    const { tip } = await generateRepository(directory, { commitCount: 700, seed: 9 })
    const sample = { directory, objectFormat: 'sha1' as const, tip }
    const expected = await printedByGit(directory, tip)
    const table = join(directory, 'gittorrent', 'commit-graph')
    assert.equal(await printedByUs(sample), expected)
    const written = await readFile(table)
    // git reads it as a commit-graph of its own; verify would miss the dates.
    await writeFile(graphOf(directory), written)
    assert.equal(await printedByGit(directory, tip), expected)
    await rm(graphOf(directory))
    const damaged = Uint8Array.from(written)
    damaged[5000] = (damaged[5000] ?? 0) ^ 1
    await writeFile(table, damaged)
    assert.equal(await printedByUs(sample), expected)
    assert.deepEqual(await readFile(table), written)
    const newer = await git(['commit-tree', '-p', tip, '-p', `${tip}~5`, '-m', 'newer', `${tip}^{tree}`], { directory })
    assert.equal(await printedByUs({ ...sample, tip: newer }), await printedByGit(directory, newer))
    await rename(join(directory, 'objects', 'pack'), join(directory, 'pack-hidden'))
    assert.equal(await printedByUs(sample), expected)
  }))
