/**
 * Goal: `verify` looks at everything in an exported folder, and says in one line each what is wrong there.
 * Method: an export with snapshot, superseded link and signature that passes; the same folder with one thing changed in each file.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { type Manifest, parseManifest } from '../../helper/export/manifest.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

interface Report {
  readonly ok: boolean
  readonly verdicts: readonly { readonly name: string; readonly reason: string | null }[]
}

const WRONG_TOKEN = "it has another 'token' than manifest.json says"
const WRONG_LIST = 'it is not the list of the links in manifest.json'

let world: DemoWorld
let key: string

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 200, seed: 5 })
  const line = (await world.git('-C', 'origin.git', 'rev-list', '--first-parent', 'main')).split('\n')
  key = JSON.parse((await world.run('gittorrent', ['keygen', '--json'])).stdout)[0].publicKey
  for (const tip of [line[30] ?? '', line[0] ?? '']) {
    await world.git('-C', 'origin.git', 'update-ref', 'refs/heads/line', tip)
    const urls = ['--base-url', 'https://cdn.example.org/p', '--tracker', 'http://t.example/announce']
    const args = ['export', 'origin.git', '--out', 'good', '--ref', 'line', ...urls, '--key', key, '--grace', '3650']
    await world.run('gittorrent', args)
  }
})

async function verify(folder: string, environment: NodeJS.ProcessEnv = {}): Promise<Report> {
  const script = 'gittorrent verify "$1" --json || test $? = 1'
  return JSON.parse((await world.run('sh', ['-c', script, 'sh', folder], { environment })).stdout)
}

function complaints({ verdicts }: Report): string[] {
  return verdicts.flatMap(({ name, reason }) => (reason === null ? [] : [`${name}: ${reason}`])).sort()
}

async function damagedCopy(name: string): Promise<{ path: (file: string) => string; manifest: Manifest }> {
  await cp(join(world.folder, 'good'), join(world.folder, name), { recursive: true })
  const path = (file: string): string => join(world.folder, name, file)
  return { path, manifest: parseManifest(await readFile(path('manifest.json'))) }
}

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  await writeFile(path, bytes)
}

/** The checksums as they would be had the folder been made as it lies there. */
async function sumUp(folder: string): Promise<void> {
  const lines: string[] = []
  for (const name of (await readdir(join(world.folder, folder))).sort()) {
    if (name === 'SHA256SUMS') continue
    const bytes = await readFile(join(world.folder, folder, name))
    lines.push(`${createHash('sha256').update(bytes).digest('hex')}  ${name}\n`)
  }
  await writeFile(join(world.folder, folder, 'SHA256SUMS'), lines.join(''))
}

it('an export passes, file by file, also for those who pin its key', async () => {
  const { manifest } = await damagedCopy('copy')
  assert.ok(manifest.superseded.length > 0 && manifest.snapshots.length > 0 && manifest.key === key)
  const report = await verify('good', { GITTORRENT_WEBSEED_KEY: key })
  assert.deepEqual(complaints(report), [])
  assert.ok(report.ok)
  assert.deepEqual(
    report.verdicts.map(({ name }) => name).sort(),
    (await readdir(join(world.folder, 'good'))).filter((name) => name !== 'index.html').sort(),
  )
})

it('each thing that is wrong is told in a line of its own', async () => {
  const { path, manifest } = await damagedCopy('damaged')
  const [snapshot] = manifest.snapshots
  const [old] = manifest.superseded
  const links = manifest.chains[0]?.links ?? []
  const [newest, second, ...others] = links
  const root = others.at(-1)
  assert.ok(snapshot && old && newest && second && root)
  await flip(path(snapshot.file), snapshot.bytes >> 1)
  await rm(path(old.file))
  await flip(path(newest.file), newest.bytes - 5)
  await rm(path(`${second.file}.torrent`))
  const torrent = await readFile(path(`${root.file}.torrent`), 'latin1')
  await writeFile(path(`${root.file}.torrent`), torrent.replace('cdn.example', 'cdn.exampel'), 'latin1')
  await flip(path(`${newest.file}.torrent`), (await readFile(path(`${newest.file}.torrent`))).length - 60)
  const list = await readFile(path('bundle-list'), 'utf8')
  await writeFile(path('bundle-list'), list.replace(/creationToken = \d+/, 'creationToken = 1'))
  await writeFile(path('notes.txt'), 'mine')
  await rm(path('index.html'))
  await sumUp('damaged')
  await flip(path('SHA256SUMS'), 0)
  const found = complaints(await verify('damaged'))
  const expected = [
    /^SHA256SUMS: it has another hash for bundle-list$/,
    /^bundle-list: it is not the list of the links in manifest\.json$/,
    new RegExp(`^${newest.file}: `),
    new RegExp(`^${newest.file}.torrent: it (names other trackers|is no torrent)|expected infohash`),
    new RegExp(`^${old.file}: it is missing$`),
    new RegExp(`^${root.file}.torrent: it names other trackers or web seeds than manifest.json$`),
    new RegExp(`^${second.file}.torrent: it is missing$`),
    new RegExp(`^${snapshot.file}: `),
    /^index\.html: it is missing$/,
    /^notes\.txt: no export writes such a file$/,
  ]
  for (const pattern of expected)
    assert.equal(found.filter((line) => pattern.test(line)).length, 1, `${pattern}\n${found.join('\n')}`)
  assert.equal(found.length, expected.length, found.join('\n'))
})

it('a manifest that says something else of a good file, or was signed by another, is told', async () => {
  const { path, manifest } = await damagedCopy('lying')
  const text = (await readFile(path('manifest.json'), 'utf8')).replace(/,\n "key"[\s\S]*$/, '\n}\n')
  const token = manifest.chains[0]?.links[0]?.token ?? 0
  await writeFile(path('manifest.json'), text.replace(`"token":${token}`, `"token":${token + 1}`))
  await sumUp('lying')
  const unsigned = complaints(await verify('lying')).reverse()
  assert.deepEqual(
    unsigned.map((line) => line.replace(/^gt1-\S+\.bundle/, 'a bundle')),
    [`a bundle: ${WRONG_TOKEN}`, `bundle-list: ${WRONG_LIST}`],
  )
  const pinned = complaints(await verify('lying', { GITTORRENT_WEBSEED_KEY: key }))
  assert.match(
    pinned.join('\n'),
    /^manifest\.json: manifest: expected a signature of a key in gittorrent\.webseedKey, got none$/,
  )
})

it('a snapshot is verified alone, and one under the name of another commit is not taken', async () => {
  const { path, manifest } = await damagedCopy('alone')
  const file = manifest.snapshots[0]?.file ?? ''
  assert.deepEqual(complaints(await verify(join('alone', file))), [])
  const other = `gt1-${'0'.repeat(40)}-snapshot.pack`
  await cp(path(file), path(other))
  assert.match(complaints(await verify(join('alone', other))).join(), /its commit is no checkpoint that has a snapshot/)
})
