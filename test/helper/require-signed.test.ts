/**
 * Goal: with gittorrent.requireSigned nothing unsigned moves a ref, only what is new is looked at, and reason and commit are named.
 * Method: commits and tags signed with keys made by ssh-keygen and gpg, fetched from a plain origin and from a publication.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { promisify } from 'node:util'
import { directoryUntilExit } from '../support/temporary-directory.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'
import { makeOpenPgpKey } from './openpgp-key.ts'
import { type Outcome, PublishedWorld } from './published-world.ts'

const run = promisify(execFile)
const folder = directoryUntilExit()
let world: PublishedWorld
let ssh: readonly string[]
let allow: readonly string[]

before(async () => {
  world = untilFileEnds(await PublishedWorld.open(folder))
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'signer')])
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'stranger')])
  const allowed = join(folder, 'allowed')
  await writeFile(allowed, `author@example.com ${await readFile(join(folder, 'signer.pub'), 'utf8')}`)
  ssh = ['-c', 'gpg.format=ssh', '-c', `user.signingKey=${join(folder, 'signer')}`]
  allow = ['-c', `gpg.ssh.allowedSignersFile=${allowed}`]
  await world.git('owner', 'init', '--quiet', 'origin')
  await commit('first', ...ssh)
  await commit('second', ...ssh)
})

async function commit(message: string, ...settings: string[]): Promise<string> {
  await writeFile(join(folder, 'origin', 'file'), message)
  await world.git('owner', '-C', 'origin', 'add', '.')
  const sign = settings.length > 0 ? ['-S'] : ['--no-gpg-sign']
  await world.git('owner', '-C', 'origin', ...settings, 'commit', '--quiet', ...sign, '-m', message)
  return world.git('owner', '-C', 'origin', 'rev-parse', 'HEAD')
}

const url = (): string => `gittorrent::${join(folder, 'origin')}`

function fetchSigned(...args: string[]): Promise<Outcome> {
  return world.gitOutcome('reader', [...allow, '-c', 'gittorrent.requireSigned=commits', ...args])
}

const refsIn = (clone: string): Promise<string> => world.git('reader', '-C', clone, 'for-each-ref')

test('signed history is cloned and fetched, and nothing is left of the staging', async () => {
  const cloned = await fetchSigned('clone', '--quiet', url(), 'clone')
  assert.equal(cloned.status, 0, cloned.stderr)
  const tip = await commit('third', ...ssh)
  assert.equal((await fetchSigned('-C', 'clone', 'fetch', '--quiet')).status, 0)
  assert.equal(await world.git('reader', '-C', 'clone', 'rev-parse', 'origin/main'), tip)
  await world.git('reader', '-C', 'clone', 'fsck', '--strict')
  const left = await readdir(join(folder, 'clone', '.git', 'gittorrent'))
  assert.deepEqual(
    left.filter((name) => name.startsWith('staging')),
    [],
  )
})

test('an unsigned commit is refused before any ref moves, and named; history below what is held is not looked at again', async () => {
  const before = await refsIn('clone')
  const bad = await commit('unsigned')
  await commit('signed on top', ...ssh)
  const { status, stderr } = await fetchSigned('-C', 'clone', 'fetch', '--quiet')
  assert.notEqual(status, 0)
  assert.match(stderr, new RegExp(`fatal: commit ${bad}: .*got no signature; nothing was fetched`))
  assert.equal(await refsIn('clone'), before)
  assert.notEqual((await world.outcome('reader', 'git', ['-C', 'clone', 'cat-file', '-e', bad])).status, 0)
  const trusting = await fetchSigned('-c', `gittorrent.trustedCommit=${bad}`, '-C', 'clone', 'fetch', '--quiet')
  assert.equal(trusting.status, 0, trusting.stderr)
  assert.equal((await fetchSigned('-C', 'clone', 'fetch', '--quiet')).status, 0, 'held by now')
})

test('a signature by a key that is not allowed is none, and a fingerprint narrows what is allowed', async () => {
  const strange = await commit('strange', '-c', 'gpg.format=ssh', '-c', `user.signingKey=${join(folder, 'stranger')}`)
  const refused = await fetchSigned('-C', 'clone', 'fetch', '--quiet')
  assert.match(refused.stderr, new RegExp(`commit ${strange}: .*not allowed`))
  const { stdout } = await run('ssh-keygen', ['-l', '-f', join(folder, 'stranger.pub')])
  const fingerprint = stdout.split(' ')[1] ?? ''
  const named = await fetchSigned('-c', `gittorrent.allowedKey=${fingerprint}`, '-C', 'clone', 'fetch', '--quiet')
  assert.equal(named.status, 0, named.stderr)
  await commit('by the signer', ...ssh)
  const other = await fetchSigned('-c', `gittorrent.allowedKey=${fingerprint}`, '-C', 'clone', 'fetch', '--quiet')
  assert.match(other.stderr, /allowedKey does not name/)
})

test('the rule of one remote goes before the general one', async () => {
  await commit('unsigned again')
  const refused = await fetchSigned('-C', 'clone', 'fetch', '--quiet')
  assert.equal(refused.status, 128)
  const free = await fetchSigned('-c', 'remote.origin.requireSigned=off', '-C', 'clone', 'fetch', '--quiet')
  assert.equal(free.status, 0, free.stderr)
  const named = await fetchSigned('-c', 'gittorrent.trustedCommit=main', '-C', 'clone', 'fetch', '--quiet')
  assert.match(named.stderr, /expected a whole oid/)
  const strange = await fetchSigned('-c', 'remote.origin.requireSigned=yes', '-C', 'clone', 'fetch', '--quiet')
  assert.match(strange.stderr, /expected commits, tags or off/)
})

test('with tags, new tags must be signed and commits need not be', async () => {
  const tagged = (...args: string[]): Promise<Outcome> =>
    world.gitOutcome('reader', [
      ...allow,
      '-c',
      'gittorrent.requireSigned=tags',
      '-C',
      'clone',
      'fetch',
      '--quiet',
      ...args,
    ])
  await commit('nobody signed this')
  await world.git('owner', '-C', 'origin', ...ssh, 'tag', '-s', '-m', 'signed', 'v1')
  const good = await tagged()
  assert.equal(good.status, 0, good.stderr)
  assert.match(await refsIn('clone'), /refs\/tags\/v1/)
  await world.git('owner', '-C', 'origin', 'tag', '-a', '-m', 'unsigned', 'v2')
  assert.match((await tagged()).stderr, /tag refs\/tags\/v2 .*nothing was fetched/)
  await world.git('owner', '-C', 'origin', 'tag', '-d', 'v2')
  await world.git('owner', '-C', 'origin', 'tag', 'v3')
  assert.match((await tagged()).stderr, /tag refs\/tags\/v3 .*lightweight/)
  await world.git('owner', '-C', 'origin', 'tag', '-d', 'v3')
})

test('an OpenPGP signature counts when its fingerprint is allowed', async (t) => {
  const { fingerprint, signing, checking } = await makeOpenPgpKey(t, folder)
  await commit('OpenPGP', ...signing)
  const signed = (key: string): Promise<Outcome> =>
    fetchSigned(...checking, '-c', `gittorrent.allowedKey=${key}`, '-C', 'clone', 'fetch', '--quiet')
  assert.match((await signed('0'.repeat(40))).stderr, /allowedKey does not name/)
  const good = await signed(fingerprint)
  assert.equal(good.status, 0, good.stderr)
})

test('a publication is held to the same rule, by OpenPGP as well: commits, tags, off, per remote', async (t) => {
  await world.keygen('owner')
  const home = await mkdtemp(join(folder, 'pgp-'))
  const { fingerprint, signing, checking } = await makeOpenPgpKey(t, home)
  const publisher = await world.startPublisher('owner', 'origin')
  t.after(() => publisher.stop())
  const allowed = [...allow, ...checking, '-c', `gittorrent.allowedKey=${fingerprint}`]
  const by = (rule: string, ...args: string[]): Promise<Outcome> =>
    world.gitOutcome('reader', [...allowed, '-c', `gittorrent.requireSigned=${rule}`, ...args], [publisher.address])
  const inClone = (rule: string, ...args: string[]): Promise<Outcome> =>
    by(rule, '-C', 'published', ...args, 'fetch', '--quiet')
  const again = (): Promise<string> =>
    world.run('owner', 'gittorrent', 'publish', 'origin', '--once', '--no-dht', '--no-lsd', '--listen', '127.0.0.1:0')
  // The history until here has unsigned commits: the oldest trusted commit ends the walk.
  const refused = await by('commits', 'clone', publisher.url, 'no-clone')
  assert.equal(refused.status, 128)
  assert.match(refused.stderr, /fatal: commit [0-9a-f]{40}: expected a signature by an allowed key/)
  const old = await world.git('owner', '-C', 'origin', 'rev-parse', 'HEAD')
  const cloned = await by(
    'commits',
    '-c',
    `gittorrent.trustedCommit=${old}`,
    'clone',
    '--quiet',
    publisher.url,
    'published',
  )
  assert.equal(cloned.status, 0, cloned.stderr)
  const tip = await commit('signed by OpenPGP', ...signing)
  await again()
  const fetched = await inClone('commits')
  assert.equal(fetched.status, 0, fetched.stderr)
  assert.equal(await world.git('reader', '-C', 'published', 'rev-parse', 'origin/main'), tip)
  await world.git('owner', '-C', 'origin', ...signing, 'tag', '-s', '-m', 'signed', 'pgp1')
  const bad = await commit('unsigned')
  await again()
  const before = await refsIn('published')
  const strict = await inClone('commits')
  assert.match(strict.stderr, new RegExp(`fatal: commit ${bad}: .*got no signature; nothing was fetched`))
  assert.equal(await refsIn('published'), before)
  const tags = await inClone('tags')
  assert.equal(tags.status, 0, tags.stderr)
  assert.match(await refsIn('published'), /refs\/tags\/pgp1/)
  await world.git('owner', '-C', 'origin', 'tag', '-a', '-m', 'unsigned', 'pgp2')
  await again()
  assert.match((await inClone('tags')).stderr, /tag refs\/tags\/pgp2 .*nothing was fetched/)
  assert.match((await inClone('off', '-c', 'remote.origin.requireSigned=tags')).stderr, /tag refs\/tags\/pgp2 /)
  const free = await inClone('tags', '-c', 'remote.origin.requireSigned=off')
  assert.equal(free.status, 0, free.stderr)
})
