/**
 * Goal: an exported folder is complete, the same for the same history, changes only where history did, and never loses a file
 * that somebody may still be reading; what is put into it cannot break out of it.
 * Method: the real command on generated repositories; sha256sum, git and another reader of bencode as judges; times of
 * files compared before and after, by rsync too where it is there.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { appendFile, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import bencodeOracle from 'bencode-oracle'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { type Manifest, parseManifest } from '../../helper/export/manifest.ts'
import { recordIn } from '../../helper/export/torrent-file.ts'
import { isAtHand } from '../support/debian-program.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

const BASE = ['--base-url', 'https://cdn.example.org/project']

let world: DemoWorld
let mainCommits: readonly string[]

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 900, seed: 5 })
  mainCommits = (await world.git('-C', 'origin.git', 'rev-list', '--first-parent', 'main')).split('\n')
})

async function runExport(out: string, ...args: string[]) {
  const { stdout } = await world.run('gittorrent', ['export', 'origin.git', '--out', out, '--json', ...args])
  return JSON.parse(stdout)
}

async function manifestOf(out: string): Promise<Manifest> {
  return parseManifest(await readFile(join(world.folder, out, 'manifest.json')))
}

/** Name to time of change and bytes, of every file. */
async function stateOf(out: string): Promise<Map<string, string>> {
  const names = await readdir(join(world.folder, out))
  const state = new Map<string, string>()
  for (const name of names.sort()) {
    const path = join(world.folder, out, name)
    const hash = createHash('sha256')
      .update(await readFile(path))
      .digest('hex')
    state.set(name, `${(await stat(path, { bigint: true })).mtimeNs} ${hash}`)
  }
  return state
}

function bytesIn(state: Map<string, string>): [string, string][] {
  return [...state].map(([name, text]) => [name, text.split(' ')[1] ?? ''])
}

it('holds every link and snapshot, its torrent, and checksums that sha256sum confirms', async () => {
  const report = await runExport(
    'out',
    ...BASE,
    '--tracker',
    'http://t1.example/announce',
    '--tracker',
    'udp://t2.example:6969',
  )
  const names = (await readdir(join(world.folder, 'out'))).sort()
  const { chains, snapshots } = await manifestOf('out')
  const links = chains.flatMap((chain) => chain.links)
  const expected = [...links, ...snapshots].flatMap(({ file }) => [file, `${file}.torrent`])
  assert.deepEqual(names, [...expected, 'SHA256SUMS', 'bundle-list', 'index.html', 'manifest.json'].sort())
  assert.equal(report.links, links.length)
  assert.deepEqual([report.snapshots, snapshots.length], [1, 1])
  const checked = await world.run('sh', ['-c', 'cd out && sha256sum --strict -c SHA256SUMS'])
  assert.equal(checked.stdout.trim().split('\n').length, names.length - 1)
  const { stdout } = await world.run('gittorrent', ['chain', 'origin.git', '--json'])
  const main = JSON.parse(stdout).links.map((link: { infohash: string; sha256: string }) => [
    link.infohash,
    link.sha256,
  ])
  assert.deepEqual(
    chains[0]?.links.map(({ infohash, sha256 }) => [infohash, sha256]),
    main,
  )
  assert.equal(chains[0]?.ref, 'refs/heads/main')
})

it('a snapshot is the whole tree of one commit, and nothing else', async () => {
  const [snapshot] = (await manifestOf('out')).snapshots
  assert.ok(snapshot !== undefined && mainCommits.includes(snapshot.commit))
  await world.git('init', '--quiet', '--bare', 'empty.git')
  await world.run('sh', ['-c', `git -C empty.git index-pack --stdin <'out/${snapshot.file}'`])
  const objects = async (repository: string, ...args: string[]): Promise<string[]> =>
    (await world.git('-C', repository, ...args)).split('\n').sort()
  const inTree = ['rev-list', '--objects', '--no-object-names', '--no-walk', snapshot.commit]
  assert.deepEqual(
    await objects('empty.git', 'cat-file', '--batch-all-objects', '--batch-check=%(objectname)'),
    await objects('origin.git', ...inTree),
  )
  assert.equal((await runExport('without', '--no-snapshot')).snapshots, 0)
})

it('torrent files have trackers and web seeds outside the info dict, whose hash is the infohash of the chain', async () => {
  const { chains, snapshots } = await manifestOf('out')
  const links = chains.flatMap((chain) => chain.links)
  const long = new Map(links.flatMap((link) => (link.segments === null ? [[link.file, link.segmentsSha256]] : [])))
  assert.ok(long.size > 0 && long.size < links.length)
  for (const { file, infohash } of [...links, ...snapshots]) {
    const bytes = await readFile(join(world.folder, 'out', `${file}.torrent`))
    const torrent = bencodeOracle.decode(bytes)
    const record = recordIn(bytes)
    assert.equal(record === null ? undefined : createHash('sha256').update(record).digest('hex'), long.get(file))
    const own = record === null ? [] : ['gittorrent segments']
    const text = (value: Uint8Array): string => Buffer.from(value).toString()
    assert.deepEqual(Object.keys(torrent).sort(), ['announce', 'announce-list', ...own, 'info', 'url-list'])
    assert.equal(text(torrent.announce), 'http://t1.example/announce')
    assert.deepEqual(
      torrent['announce-list'].map((tier: Uint8Array[]) => tier.map(text)),
      [['http://t1.example/announce'], ['udp://t2.example:6969']],
    )
    assert.deepEqual(torrent['url-list'].map(text), [`https://cdn.example.org/project/${file}`])
    assert.deepEqual(Object.keys(torrent.info).sort(), ['length', 'name', 'piece length', 'pieces'])
    assert.equal(createHash('sha1').update(bencodeOracle.encode(torrent.info)).digest('hex'), infohash)
  }
})

it('the bundle list is git configuration with tokens that are first-parent counts, newest first', async () => {
  const read = (...args: string[]) => world.git('config', '--file', 'out/bundle-list', ...args)
  assert.equal(await read('bundle.version'), '1')
  assert.equal(await read('bundle.mode'), 'all')
  assert.equal(await read('bundle.heuristic'), 'creationToken')
  const tokens = (await read('--get-regexp', 'creationtoken')).split('\n').map((line) => Number(line.split(' ')[1]))
  assert.deepEqual(
    tokens,
    [...tokens].sort((a, b) => b - a),
  )
  for (const line of (await read('--get-regexp', '^bundle\\..*\\.uri$')).split('\n')) {
    const [key = '', uri = ''] = line.split(' ')
    const [, tip = ''] = /^bundle\.gt1-([0-9a-f]+)-/.exec(key) ?? []
    const token = await read(`${key.slice(0, -'.uri'.length)}.creationToken`)
    assert.equal(token, await world.git('-C', 'origin.git', 'rev-list', '--count', '--first-parent', tip))
    assert.match(uri, /^https:\/\/cdn\.example\.org\/project\/gt1-[0-9a-f]+-(root|[0-9a-f]+)\.bundle$/)
  }
})

it('a second run touches nothing, and another machine writes the same bytes', async () => {
  const options = [
    ...BASE,
    '--origin',
    'https://example.org/project.git',
    '--tracker',
    'http://t1.example/announce',
    '--tracker',
    'udp://t2.example:6969',
  ]
  await runExport('out', ...options)
  const before = await stateOf('out')
  const report = await runExport('out', ...options)
  assert.deepEqual([report.written, report.removed], [[], []])
  assert.deepEqual(await stateOf('out'), before)
  await world.git('clone', '--quiet', '--mirror', 'origin.git', 'other.git')
  await world.run('gittorrent', ['export', 'other.git', '--out', 'elsewhere', ...options])
  assert.deepEqual(bytesIn(await stateOf('elsewhere')), bytesIn(before))
})

it('what a new checkpoint changes is what is said to be written: an upload by length and time copies nothing else', async () => {
  const at = (index: number): string => mainCommits[index] ?? assert.fail('no such commit')
  await world.git('-C', 'origin.git', 'branch', 'synced', at(40))
  await runExport('synced', '--ref', 'synced', ...BASE)
  const before = await stateOf('synced')
  await world.git('-C', 'origin.git', 'branch', '-f', 'synced', at(0))
  const { written, removed } = await runExport('synced', '--ref', 'synced', ...BASE)
  const after = await stateOf('synced')
  assert.deepEqual(
    [...after.keys()].filter((name) => after.get(name) !== before.get(name)),
    written,
  )
  assert.ok(written.length > 4 && removed.length === 0)
  const { snapshots, superseded } = await manifestOf('synced')
  assert.ok(superseded.length > 0 && snapshots.length > 0)
  await world.git('-C', 'origin.git', 'branch', '-D', 'synced')
})

it('rsync sees nothing to do after a run with nothing new, and after a new checkpoint only what was written', async (t) => {
  if (!(await isAtHand({ name: 'rsync', packageName: 'rsync', probe: ['rsync', '--version'] }, t))) return
  const at = (index: number): string => mainCommits[index] ?? assert.fail('no such commit')
  const plan = async (): Promise<string[]> => {
    const { stdout } = await world.run('rsync', ['-ai', '--delete', '--dry-run', 'uploaded/', 'server/'])
    return stdout.split('\n').filter(Boolean)
  }
  await world.git('-C', 'origin.git', 'branch', 'uploaded', at(40))
  await runExport('uploaded', '--ref', 'uploaded', ...BASE)
  // rsync compares whole seconds: what is exported below is of a later one, as with anybody who exports twice.
  await world.run('find', ['uploaded', '-exec', 'touch', '-d', '1 minute ago', '{}', '+'])
  await world.run('rsync', ['-a', 'uploaded/', 'server/'])
  await runExport('uploaded', '--ref', 'uploaded', ...BASE)
  assert.deepEqual(await plan(), [])
  await world.git('-C', 'origin.git', 'branch', '-f', 'uploaded', at(0))
  const { written } = await runExport('uploaded', '--ref', 'uploaded', ...BASE)
  assert.ok(written.length > 4)
  const planned = (await plan()).map((line) => line.split(' '))
  assert.deepEqual(planned.map(([, name]) => name).sort(), ['./', ...written].sort())
  // Of files that are there already, those of a history's state alone change.
  const changed = planned.flatMap(([how, name]) => (how?.startsWith('>f') && !how.includes('+++') ? [name] : []))
  assert.deepEqual(changed.sort(), ['SHA256SUMS', 'bundle-list', 'index.html', 'manifest.json'])
  await world.run('rsync', ['-a', '--delete', 'uploaded/', 'server/'])
  await world.run('sh', ['-c', 'cd server && sha256sum --strict --quiet -c SHA256SUMS'])
  const { removed } = await runExport('uploaded', '--ref', 'uploaded', ...BASE, '--grace', '0')
  const deleted = (await plan()).filter((line) => line.startsWith('*deleting')).map((line) => line.split(/ +/)[1])
  assert.ok(removed.length > 0)
  assert.deepEqual(deleted.sort(), removed)
  await world.git('-C', 'origin.git', 'branch', '-D', 'uploaded')
})

it('a signed manifest is one that openssl confirms, the same each time, and no byte of it can be changed', async () => {
  const { publicKey } = JSON.parse((await world.run('gittorrent', ['keygen', '--json'])).stdout)[0]
  await runExport('signed', '--key', publicKey.slice(0, 8))
  const before = await stateOf('signed')
  assert.deepEqual((await runExport('signed', '--key', publicKey)).written, [])
  assert.deepEqual(await stateOf('signed'), before)
  const bytes = await readFile(join(world.folder, 'signed', 'manifest.json'))
  const { signature, key } = JSON.parse(bytes.toString())
  assert.equal(key, publicKey)
  assert.equal(parseManifest(bytes).key, publicKey)
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from(key, 'hex')])
  await writeFile(join(world.folder, 'key.der'), der)
  await writeFile(join(world.folder, 'signature'), Buffer.from(signature, 'hex'))
  const zeros = bytes.toString().replace(signature, '0'.repeat(128))
  await writeFile(join(world.folder, 'message'), `gittorrent manifest 1\n${zeros}`)
  const how = ['-verify', '-pubin', '-keyform', 'DER', '-inkey', 'key.der', '-rawin', '-sigfile', 'signature']
  await world.run('openssl', ['pkeyutl', ...how, '-in', 'message'])
  for (const [from, to] of [
    ['"clock": 1', '"clock": 2'],
    [signature.slice(0, 8), '00000000'],
    [`"key": "${key.slice(0, 8)}`, '"key": "00000000'],
  ] as const) {
    assert.ok(bytes.includes(from))
    assert.throws(() => parseManifest(Buffer.from(bytes.toString().replace(from, to))), { code: 'unsigned' })
  }
  await runExport('signed')
  assert.equal((await manifestOf('signed')).key, null)
  await assert.rejects(runExport('signed', '--key', 'ffffffffff'), /key: expected one key/)
})

it('new commits write only new files; superseded links stay until the history is a grace period older', async () => {
  const at = (index: number): string => mainCommits[index] ?? assert.fail('no such commit')
  await world.git('-C', 'origin.git', 'branch', 'line', at(60))
  await runExport('grown', '--ref', 'line')
  const first = await manifestOf('grown')
  const before = await stateOf('grown')
  // The version before wrote lists of segments; the files that it names are ours.
  await writeFile(join(world.folder, 'grown', 'manifest.json'), JSON.stringify({ ...first, version: 1 }))
  await world.git('-C', 'origin.git', 'branch', '-f', 'line', at(0))
  const report = await runExport('grown', '--ref', 'line', '--grace', '3650')
  const second = await manifestOf('grown')
  const after = await stateOf('grown')
  const names = (manifest: Manifest): string[] => manifest.chains.flatMap(({ links }) => links.map(({ file }) => file))
  const gone = names(first).filter((name) => !names(second).includes(name))
  assert.ok(gone.length > 0, 'the history must have superseded a link')
  assert.deepEqual(
    second.superseded.map(({ file }) => file),
    gone.sort(),
  )
  assert.deepEqual(report.removed, [])
  for (const name of [...names(first), ...names(first).map((file) => `${file}.torrent`)])
    assert.equal(after.get(name), before.get(name), name)
  await world.run('sh', ['-c', 'cd grown && sha256sum --strict --quiet -c SHA256SUMS'])
  const again = await runExport('grown', '--ref', 'line', '--grace', '3650')
  assert.deepEqual([again.written, again.removed], [[], []])
  const ended = await runExport('grown', '--ref', 'line', '--grace', '0')
  assert.deepEqual(ended.removed, gone.flatMap((name) => [name, `${name}.torrent`]).sort())
  assert.deepEqual((await manifestOf('grown')).superseded, [])
})

it('a truncated, missing or leftover file is put right', async () => {
  await runExport('broken')
  const good = bytesIn(await stateOf('broken'))
  const folder = join(world.folder, 'broken')
  const [first, second] = (await readdir(folder)).filter((name) => name.endsWith('.bundle'))
  await truncate(join(folder, first ?? ''), 100)
  await rm(join(folder, `${second}.torrent`))
  await writeFile(join(folder, `gt1-${'0'.repeat(40)}-root.bundle`), 'of a run that broke off')
  await rm(join(folder, 'index.html'))
  const report = await runExport('broken')
  assert.deepEqual(bytesIn(await stateOf('broken')), good)
  assert.deepEqual(report.written, [first, `${second}.torrent`, 'index.html'].sort())
})

it('without a manifest, a file of the right length but other bytes is written anew', async () => {
  const folder = join(world.folder, 'broken')
  const good = bytesIn(await stateOf('broken'))
  const [name = ''] = (await readdir(folder)).filter((entry) => entry.endsWith('.bundle'))
  const bytes = await readFile(join(folder, name))
  bytes[bytes.length - 30] = (bytes[bytes.length - 30] ?? 0) ^ 1
  await writeFile(join(folder, name), bytes)
  for (const entry of ['manifest.json', 'index.html', 'bundle-list', 'SHA256SUMS']) await rm(join(folder, entry))
  await runExport('broken')
  assert.deepEqual(bytesIn(await stateOf('broken')), good)
})

it('a folder that holds other things is left alone', async () => {
  await mkdir(join(world.folder, 'homepage'))
  await writeFile(join(world.folder, 'homepage', 'index.html'), 'mine')
  await assert.rejects(runExport('homepage'), /empty folder or an earlier export, got 'index.html'/)
  await appendFile(join(world.folder, 'homepage', 'manifest.json'), '{"name": "a web app"}')
  await assert.rejects(runExport('homepage'), /manifest of an earlier export/)
  assert.deepEqual((await readdir(join(world.folder, 'homepage'))).sort(), ['index.html', 'manifest.json'])
})

for (const url of [
  'https://u:secret@example.org/x',
  'https://example.org/x?token=1',
  'ftp://example.org/',
  'relative/path',
  'https://example.org/"\n[core]\n\tpager = x',
  "https://example.org/'onclick=",
]) {
  it(`refuses the base URL ${JSON.stringify(url)}`, async () => {
    await assert.rejects(runExport('refused', '--base-url', url), (error: Error) => {
      assert.match(error.message, /--base-url: expected/)
      assert.doesNotMatch(error.message, /got '.*secret/)
      return true
    })
  })
}

it('a branch name cannot break out of the page', async () => {
  const name = '<script>alert(1)</script>&"'
  await world.git('-C', 'origin.git', 'update-ref', `refs/heads/${name}`, 'main')
  await runExport('page', '--ref', `refs/heads/${name}`)
  await world.git('-C', 'origin.git', 'update-ref', '-d', `refs/heads/${name}`)
  const page = await readFile(join(world.folder, 'page', 'index.html'), 'utf8')
  assert.doesNotMatch(page, /<script/)
  assert.match(page, /&#60;script&#62;/)
})

it('local branches of a work tree are private unless they are named', async () => {
  await world.git('clone', '--quiet', 'origin.git', 'work')
  await world.git('-C', 'work', 'remote', 'rename', '--no-progress', 'origin', 'upstream')
  const { stdout, stderr } = await world.run('gittorrent', ['export', 'work', '--out', 'private', '--json'])
  assert.equal(JSON.parse(stdout).links, 0)
  assert.match(stderr, /local branches are private/)
  await world.run('gittorrent', ['export', 'work', '--out', 'private', '--remote', 'upstream'])
  assert.equal((await manifestOf('private')).chains[0]?.ref, 'refs/heads/main')
})
