/**
 * Goal: whatever happens to a stored file, nobody is served other bytes than were built, and the next start has the same
 * chain again; a body whose file did not change is not read again.
 * Method: a generated repository; single bytes of bodies, rows, piece hashes and tables are changed between starts and
 * under a running one; stamps are tried with a clock of the test's own.
 */

import assert from 'node:assert/strict'
import { copyFile, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { generateRepository } from '../../bench/generate-repository.ts'
import { parseOid } from '../../engine/index.ts'
import { buildChains, type Chains } from '../../helper/build/chains.ts'
import { resolveTip } from '../../helper/build/history.ts'
import { openRepository } from '../../helper/git/repository.ts'
import { BodyChecks } from '../../helper/store/body-checks.ts'
import { verifyStore } from '../../helper/verify/stored-segments.ts'
import { git } from '../support/git.ts'
import { directoryUntilExit, withTemporaryDirectory } from '../support/temporary-directory.ts'
import { whenFileEnds } from '../support/until-file-ends.ts'

const directory = join(directoryUntilExit(), 'r.git')
const stored = (...names: string[]): string => join(directory, 'gittorrent', ...names)
let expected: string

before(async () => {
  await generateRepository(directory, { commitCount: 500, seed: 12 })
  expected = await withChains(async (chains) => digestOf(chains))
})

let opened: Chains | null = null
whenFileEnds(() => opened?.close())

async function withChains<Result>(use: (chains: Chains) => Promise<Result>): Promise<Result> {
  const repository = await openRepository(directory)
  opened = await buildChains(repository, [await resolveTip(repository, 'HEAD')], { threadCount: 2 })
  try {
    return await use(opened)
  } finally {
    await opened.close()
    opened = null
  }
}

/** The links of a chain, read to the end. */
async function digestOf({ chains }: Chains): Promise<string> {
  const [chain] = chains
  assert.ok(chain !== undefined && chain.links.length > 2)
  for (const link of chain.links) await link.read(0, link.lengthBytes)
  return chain.links.map(({ sha256, infohash }) => `${sha256} ${Buffer.from(infohash).toString('hex')}`).join('\n')
}

/** Changes one byte in the middle of a file in place; the times of its content stay. */
async function flipByte(path: string): Promise<void> {
  const { atime, mtime } = await stat(path)
  const bytes = await readFile(path)
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 0x20
  await writeFile(path, bytes)
  await utimes(path, atime, mtime)
}

async function filesOf(folder: string, suffix = ''): Promise<string[]> {
  return (await readdir(stored(folder))).filter((name) => name.endsWith(suffix)).map((name) => stored(folder, name))
}

it('a body that changes under a running seeder is not served, and built again at the next start', async () => {
  await withChains(async (chains) => {
    const link = chains.chains[0]?.links.at(-1)
    const segment = link?.segments[0]
    assert.ok(link !== undefined && segment !== undefined)
    await flipByte(stored('segments', `${segment.name}.body`))
    await assert.rejects(link.read(0, link.lengthBytes), { code: 'store-corrupt' })
    await assert.rejects(readFile(stored('segments', `${segment.name}.json`)), { code: 'ENOENT' })
  })
  assert.equal(await withChains(digestOf), expected)
})

it('a piece is checked whole even if a few bytes of it are asked for', () =>
  withChains(async (chains) => {
    // A short body that lies in the same piece as the header.
    const links = chains.chains[0]?.links ?? []
    const link = links.find(({ segments, pieceLengthBytes }) => (segments[0]?.length ?? 0) < pieceLengthBytes / 2)
    const segment = link?.segments[0]
    assert.ok(link !== undefined && segment !== undefined)
    await flipByte(stored('segments', `${segment.name}.body`))
    await assert.rejects(link.read(0, 4), { code: 'store-corrupt' })
  }))

it('damaged bodies, rows, piece hashes and tables of any kind give the same chain at the next start', async () => {
  assert.equal(await withChains(digestOf), expected)
  const bodies = await filesOf('segments', '.body')
  const rows = await filesOf('rows')
  const links = await filesOf('links')
  const tables = await filesOf('segments', '.json')
  assert.ok(bodies.length > 20 && rows.length > 20 && links.length > 2)
  for (const [index, path] of [...bodies, ...rows, ...tables].entries()) if (index % 9 === 0) await flipByte(path)
  for (const path of links) await flipByte(path)
  assert.equal(await withChains(digestOf), expected)
  await flipByte(stored('checks')).catch(() => {})
  assert.equal(await withChains(digestOf), expected)
})

it('a hole in the middle costs the segment that is missing, not those above it', async () => {
  const [first] = await filesOf('segments', '.body')
  assert.ok(first !== undefined)
  await flipByte(first)
  await withChains(async (chains) => {
    assert.equal(chains.report.built, 1)
    assert.equal(await digestOf(chains), expected)
  })
})

it('verify --repair builds again what no link holds, and removes what cannot be built', async () => {
  const repository = await openRepository(directory)
  const older = (await git(['rev-list', '--first-parent', 'HEAD~160'], { directory })).split('\n')[0] ?? ''
  const before = await buildChains(repository, [{ ref: older, oid: parseOid(older, 'sha1') }], { threadCount: 2 })
  const oldBodies = before.chains[0]?.links.flatMap(({ segments }) => segments.map(({ name }) => name)) ?? []
  await before.close()
  const current = await withChains(async ({ chains }) =>
    chains.flatMap(({ links }) => links.flatMap(({ segments }) => segments.map(({ name }) => name))),
  )
  const [unheld, ...more] = oldBodies.filter((name) => !current.includes(name))
  assert.ok(unheld !== undefined && more.length > 0)
  const good = await readFile(stored('segments', `${unheld}.body`))
  await flipByte(stored('segments', `${unheld}.body`))
  const lost = unheld.replace(/[0-9a-f]{40}/, 'f'.repeat(40))
  await copyFile(stored('segments', `${unheld}.body`), stored('segments', `${lost}.body`))
  await copyFile(stored('segments', `${unheld}.json`), stored('segments', `${lost}.json`))
  await withChains(digestOf)
  const remediesOf = async (isRepair: boolean): Promise<Record<string, unknown>> =>
    Object.fromEntries(
      (await verifyStore(repository, isRepair)).flatMap(({ name, reason, remedy }) =>
        reason === null ? [] : [[name, remedy]],
      ),
    )
  assert.deepEqual(await remediesOf(false), { [unheld]: undefined, [lost]: undefined })
  assert.notDeepEqual(await readFile(stored('segments', `${unheld}.body`)), good)
  assert.deepEqual(await remediesOf(true), { [unheld]: 'built again', [lost]: 'removed' })
  assert.deepEqual(await readFile(stored('segments', `${unheld}.body`)), good)
  assert.deepEqual(await remediesOf(false), {})
  assert.equal(await withChains(digestOf), expected)
})

it('a body counts as checked while its file is the same, and not a change longer', () =>
  withTemporaryDirectory(async (folder) => {
    const path = join(folder, 'body')
    const table = join(folder, 'checks')
    await writeFile(path, 'content')
    const facts = { objectCount: 1, commitCount: 1, length: 7, sha256: '00'.repeat(32), pack: null, offset: 0 }
    const segment = { name: 'one', ...facts }
    const open = (ageMs: number): BodyChecks =>
      new BodyChecks(
        table,
        () => path,
        () => Date.now() + ageMs,
      )
    const young = open(0)
    young.note(segment, young.statOf(segment))
    assert.deepEqual(await young.recall('one'), segment)
    await young.save()
    assert.equal(await open(0).recall('one'), null, 'a file that has just changed may change again with the same times')
    const settled = open(3_600_000)
    settled.note(segment, settled.statOf(segment))
    await settled.save()
    assert.deepEqual(await open(0).recall('one'), segment)
    assert.equal(await open(0).recall('two'), null)
    await flipByte(path)
    assert.equal(await open(0).recall('one'), null)
    const stale = settled.statOf(segment)
    await flipByte(path)
    settled.note(segment, stale)
    await settled.save()
    assert.equal(await open(0).recall('one'), null, 'the file changed while it was checked')
  }))
