/**
 * Goal: gittorrent.requireSigned holds over HTTP as it does anywhere: clone, fetch, depth and tags move no ref that no allowed key
 * signed, for the remote that it is set for, and what needs no check still works.
 * Method: git's own http-backend on loopback, commits signed by keys of ssh-keygen; plain git on the origin is the oracle.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { promisify } from 'node:util'
import { directoryUntilExit } from '../support/temporary-directory.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'
import { makeOpenPgpKey } from './openpgp-key.ts'
import { startSmartHttp, type TestOrigin } from './origin.ts'
import { type Outcome, PublishedWorld } from './published-world.ts'

const run = promisify(execFile)
const folder = directoryUntilExit()
let world: PublishedWorld
let origin: TestOrigin
let ssh: readonly string[]
let allow: readonly string[]

before(async () => {
  world = untilFileEnds(await PublishedWorld.open(folder))
  origin = untilFileEnds(await startSmartHttp(folder))
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'signer')])
  const allowed = join(folder, 'allowed')
  await writeFile(allowed, `author@example.com ${await readFile(join(folder, 'signer.pub'), 'utf8')}`)
  ssh = ['-c', 'gpg.format=ssh', '-c', `user.signingKey=${join(folder, 'signer')}`]
  allow = ['-c', `gpg.ssh.allowedSignersFile=${allowed}`]
  await world.git('owner', 'init', '--quiet', 'origin')
  for (const message of ['first', 'second', 'third']) await commit(message, ...ssh)
})

async function commit(message: string, ...settings: string[]): Promise<string> {
  await writeFile(join(folder, 'origin', 'file'), message)
  await world.git('owner', '-C', 'origin', 'add', '.')
  const sign = settings.length > 0 ? ['-S'] : ['--no-gpg-sign']
  await world.git('owner', '-C', 'origin', ...settings, 'commit', '--quiet', ...sign, '-m', message)
  return world.git('owner', '-C', 'origin', 'rev-parse', 'HEAD')
}

const url = (): string => `gittorrent::${origin.url}/origin/.git`
const refsIn = (clone: string): Promise<string> => world.git('reader', '-C', clone, 'for-each-ref')

function signed(rule: 'commits' | 'tags', ...args: string[]): Promise<Outcome> {
  return world.gitOutcome('reader', [...allow, '-c', `gittorrent.requireSigned=${rule}`, ...args])
}

test('signed history is cloned, fetched and deepened', async () => {
  const cloned = await signed('commits', 'clone', '--quiet', url(), 'clone')
  assert.equal(cloned.status, 0, cloned.stderr)
  const shallow = await signed('commits', 'clone', '--quiet', '--depth=1', url(), 'shallow')
  assert.equal(shallow.status, 0, shallow.stderr)
  assert.equal(await world.git('reader', '-C', 'shallow', 'rev-list', '--count', 'HEAD'), '1')
  const tip = await commit('fourth', ...ssh)
  for (const clone of ['clone', 'shallow']) {
    const fetched = await signed('commits', '-C', clone, 'fetch', '--quiet')
    assert.equal(fetched.status, 0, fetched.stderr)
    assert.equal(await world.git('reader', '-C', clone, 'rev-parse', 'origin/main'), tip)
    await world.git('reader', '-C', clone, 'fsck', '--strict')
  }
  const deepened = await signed('commits', '-C', 'shallow', 'fetch', '--quiet', '--depth=3')
  assert.equal(deepened.status, 0, deepened.stderr)
  assert.equal(await world.git('reader', '-C', 'shallow', 'rev-list', '--count', 'origin/main'), '3')
  const whole = await signed('commits', '-C', 'shallow', 'fetch', '--quiet', '--unshallow')
  assert.equal(whole.status, 0, whole.stderr)
  assert.equal(await world.git('reader', '-C', 'shallow', 'rev-list', '--count', 'origin/main'), '4')
})

test('an unsigned commit moves no ref, by fetch, by a fetch of depth 1, and by clone', async () => {
  const bad = await commit('unsigned')
  const top = await commit('signed on top', ...ssh)
  const before = await refsIn('clone')
  for (const depth of [[], ['--depth=1']]) {
    const refused = await signed('commits', '-C', 'clone', 'fetch', '--quiet', ...depth)
    assert.equal(refused.status, 128)
    assert.match(refused.stderr, new RegExp(`fatal: commit ${bad}: .*got no signature; nothing was fetched`))
    assert.equal(await refsIn('clone'), before)
    const held = await world.outcome('reader', 'git', ['-C', 'clone', 'cat-file', '-e', top])
    assert.notEqual(held.status, 0, 'no object either')
  }
  for (const depth of [[], ['--depth=1']]) {
    const refused = await signed('commits', 'clone', '--quiet', ...depth, url(), 'none')
    assert.equal(refused.status, 128)
    assert.match(refused.stderr, new RegExp(`fatal: commit ${bad}`))
  }
  const trusted = await signed('commits', '-c', `gittorrent.trustedCommit=${bad}`, '-C', 'clone', 'fetch', '--quiet')
  assert.equal(trusted.status, 0, trusted.stderr)
  assert.equal(await world.git('reader', '-C', 'clone', 'rev-parse', 'origin/main'), top)
})

test('the rule of one remote holds for that remote, and settings of the repository reach the check', async () => {
  const bad = await commit('unsigned again')
  await world.git('reader', '-C', 'clone', 'config', 'remote.origin.requireSigned', 'commits')
  await world.git('reader', '-C', 'clone', 'config', 'gpg.ssh.allowedSignersFile', join(folder, 'allowed'))
  await world.git('reader', '-C', 'clone', 'remote', 'add', 'lenient', url())
  // Without the proxy that only the repository's own configuration names, there is no such host.
  await world.git('reader', '-C', 'clone', 'config', 'http.http://elsewhere.invalid.proxy', origin.url)
  const elsewhere = 'gittorrent::http://elsewhere.invalid/origin/.git'
  await world.git('reader', '-C', 'clone', 'config', 'remote.origin.url', elsewhere)
  const refused = await world.gitOutcome('reader', ['-C', 'clone', 'fetch', '--quiet', 'origin'])
  assert.match(refused.stderr, new RegExp(`fatal: commit ${bad}`))
  const free = await world.gitOutcome('reader', ['-C', 'clone', 'fetch', '--quiet', 'lenient'])
  assert.equal(free.status, 0, free.stderr)
  assert.equal(await world.git('reader', '-C', 'clone', 'rev-parse', 'lenient/main'), bad)
})

test('new tags must be signed where tags are required', async () => {
  await world.git('owner', '-C', 'origin', ...ssh, 'tag', '-s', '-m', 'signed', 'v1')
  const good = await signed('tags', 'clone', '--quiet', url(), 'tagged')
  assert.equal(good.status, 0, good.stderr)
  await world.git('owner', '-C', 'origin', 'tag', '-a', '-m', 'unsigned', 'v2')
  const before = await refsIn('tagged')
  const refused = await signed('tags', '-C', 'tagged', 'fetch', '--quiet', '--tags')
  assert.match(refused.stderr, /tag refs\/tags\/v2 .*nothing was fetched/)
  assert.equal(await refsIn('tagged'), before)
  await world.git('owner', '-C', 'origin', 'tag', '-d', 'v2')
})

test('OpenPGP over HTTP: merges count as any commit, the oldest trusted commit ends the walk, a good history comes', async (t) => {
  const { fingerprint, signing, checking } = await makeOpenPgpKey(t, folder)
  const inOrigin = (...args: string[]): Promise<string> => world.git('owner', '-C', 'origin', ...args)
  const byKey = (key: string, ...args: string[]): Promise<Outcome> =>
    signed('commits', ...checking, '-c', `gittorrent.allowedKey=${key}`, ...args)
  const old = await inOrigin('rev-parse', 'HEAD')
  await inOrigin('checkout', '--quiet', '-b', 'side')
  await commit('on the side', ...signing)
  await inOrigin('checkout', '--quiet', 'main')
  await inOrigin(...signing, 'commit', '--quiet', '--allow-empty', '-S', '-m', 'on the line')
  await inOrigin('merge', '--quiet', '--no-ff', '--no-gpg-sign', '-m', 'unsigned merge', 'side')
  const merge = await inOrigin('rev-parse', 'HEAD')
  const trusting = ['-c', `gittorrent.trustedCommit=${old}`]
  const refused = await byKey(fingerprint, ...trusting, 'clone', '--quiet', url(), 'merged')
  assert.match(refused.stderr, new RegExp(`fatal: commit ${merge}: .*got no signature`))
  await inOrigin(...signing, 'commit', '--quiet', '--amend', '-S', '-m', 'signed merge')
  const cloned = await byKey(fingerprint, ...trusting, 'clone', '--quiet', url(), 'merged')
  assert.equal(cloned.status, 0, cloned.stderr)
  const tip = await commit('later', ...signing)
  assert.match((await byKey('0'.repeat(40), '-C', 'merged', 'fetch')).stderr, /allowedKey does not name; nothing/)
  const fetched = await byKey(fingerprint, '-C', 'merged', 'fetch', '--quiet')
  assert.equal(fetched.status, 0, fetched.stderr)
  assert.equal(await world.git('reader', '-C', 'merged', 'rev-parse', 'origin/main'), tip)
})

test('what moves no ref here needs no signature: ls-remote outside of a repository, and a push', async () => {
  const listed = await signed('commits', 'ls-remote', url(), 'refs/heads/main')
  assert.equal(listed.status, 0, listed.stderr)
  assert.equal(listed.stdout, `${await world.git('owner', '-C', 'origin', 'rev-parse', 'main')}\trefs/heads/main\n`)
  await world.git('reader', '-C', 'tagged', 'branch', 'topic')
  const pushed = await signed('commits', '-C', 'tagged', 'push', '--quiet', 'origin', 'topic')
  assert.equal(pushed.status, 0, pushed.stderr)
  await world.git('owner', '-C', 'origin', 'rev-parse', '--verify', 'topic')
})
