/**
 * Goal: a key survives its file, its backup and its passphrase, and nobody but its owner reads it.
 * Method: the text format with honest and damaged input, and the commands as a user runs them.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import * as noble from '@noble/ed25519'
import { KeyStore, keyId } from '../../helper/keys/key-store.ts'
import { readSecret, writeSecret } from '../../helper/keys/secret-text.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'
import { PublishedWorld } from './published-world.ts'

const SEED = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex')
const PUBLIC_KEY = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'

test('the text of a key is what the format says, and reads back, also retyped', async () => {
  const text = await writeSecret(SEED, null)
  assert.equal(text, `gittorrent secret key 1\npublic ${PUBLIC_KEY}\nsecret ${SEED.toString('hex')}\n`)
  const retyped = readSecret(
    `\n  GITTORRENT Secret  key 1 \r\n\n${text.split('\n').slice(1).join('  \n').toUpperCase()}`,
  )
  assert.equal(retyped.publicKey, PUBLIC_KEY)
  assert.deepEqual(Buffer.from(await retyped.open(null)), SEED)
})

test('a sealed key opens with its passphrase alone, and hides the secret', async () => {
  const text = await writeSecret(SEED, 'pässword')
  assert.doesNotMatch(text, new RegExp(SEED.toString('hex')))
  const sealed = readSecret(text)
  assert.equal(sealed.isSealed, true)
  // The same letters, composed differently.
  assert.deepEqual(Buffer.from(await sealed.open('pa\u0308ssword')), SEED)
  await assert.rejects(sealed.open('password'), { code: 'key-unusable', message: /passphrase/ })
  await assert.rejects(sealed.open(null), { code: 'key-unusable' })
  const [, , line = ''] = text.split('\n')
  const tampered = text.replace(
    line,
    line.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')),
  )
  await assert.rejects(readSecret(tampered).open('pässword'), { code: 'key-unusable' })
  const greedy = text.replace('scrypt 32768 8 1', 'scrypt 1048576 32 16')
  await assert.rejects(readSecret(greedy).open('pässword'), { code: 'key-unusable', message: /bounds/ })
})

test('a mistyped backup is refused before anything is signed with it', async () => {
  const text = await writeSecret(SEED, null)
  for (const wrong of [text.replace('9d61', '9d62'), text.replace('d75a', 'd75b')])
    await assert.rejects(readSecret(wrong).open(null), { code: 'key-unusable', message: /mistyped/ })
  for (const other of ['', 'hello', text.replace('key 1', 'key 2'), `${text}more\n`])
    assert.throws(() => readSecret(other), { code: 'key-unusable' })
})

test('key files have mode 0600 in a folder of 0700, are never replaced, and are refused when others may read them', () =>
  withTemporaryDirectory(async (directory) => {
    const store = new KeyStore({ GITTORRENT_DATA: directory })
    const key = await store.create()
    const path = join(directory, 'keys', `${key.id}.key`)
    assert.equal((await stat(path)).mode & 0o777, 0o600)
    assert.equal((await stat(join(directory, 'keys'))).mode & 0o777, 0o700)
    assert.equal(key.id, keyId(Buffer.from(key.publicKey, 'hex')))
    const before = await readFile(path, 'utf8')
    await assert.rejects(store.import(before), { code: 'key-unusable', message: /again/ })
    assert.equal(await readFile(path, 'utf8'), before)
    assert.deepEqual(await readdir(join(directory, 'keys')), [`${key.id}.key`])
    await chmod(path, 0o640)
    await assert.rejects(store.list(), { code: 'key-unusable', message: /0600, got 0640/ })
  }))

test('choosing a key needs one that fits', () =>
  withTemporaryDirectory(async (directory) => {
    const store = new KeyStore({ GITTORRENT_DATA: directory })
    await assert.rejects(store.choose(null), { code: 'key-missing', message: /keygen/ })
    const [first, second] = [await store.create(), await store.create()]
    await assert.rejects(store.choose(null), { code: 'key-missing' })
    assert.equal((await store.choose(second.id.slice(0, 12))).id, second.id)
    assert.equal((await store.choose(first.publicKey)).id, first.id)
    assert.equal((await store.find(first.publicKey))?.id, first.id)
    assert.equal(await store.find('0'.repeat(40)), null)
  }))

test('the commands make, list, back up and import keys, sealed ones too', () =>
  withTemporaryDirectory(async (directory) => {
    const world = await PublishedWorld.open(directory)
    const { id, publicKey } = await world.keygen('one')
    const backup = await world.run('one', 'gittorrent', 'keys', 'export', id)
    await writeFile(join(directory, 'backup'), backup)
    await writeFile(join(directory, 'passphrase'), 'secret words\n')
    await world.run('two', 'gittorrent', 'keys', 'import', 'backup', '--passphrase-file', 'passphrase')
    assert.equal(await world.run('two', 'gittorrent', 'keys'), `${id} ${publicKey} sealed`)
    const sealed = readSecret(await world.run('two', 'gittorrent', 'keys', 'export', id))
    const seed = await sealed.open('secret words')
    assert.equal(Buffer.from(await noble.getPublicKeyAsync(seed)).toString('hex'), publicKey)
    const refused = await world.outcome('two', 'gittorrent', ['keys', 'import', 'passphrase'])
    assert.deepEqual([refused.status, refused.stdout], [128, ''])
  }))

/** Runs a command on a terminal of its own (util-linux script), types an answer at each prompt; resolves with all that showed. */
function onTerminal(
  world: PublishedWorld,
  command: string,
  answers: readonly (readonly [RegExp, string])[],
): Promise<{ status: number | null; shown: string }> {
  return new Promise((resolve, reject) => {
    const env = { ...world.environment('typist'), GIT_TERMINAL_PROMPT: '1' }
    const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: world.folder, env, stdio: 'pipe' })
    const left = [...answers]
    let [shown, from] = ['', 0]
    child.stdout.on('data', (bytes: Uint8Array) => {
      shown += Buffer.from(bytes).toString()
      const [prompt, typed] = left[0] ?? []
      if (prompt === undefined || typed === undefined || !prompt.test(shown.slice(from))) return
      left.shift()
      from = shown.length
      child.stdin.write(typed)
    })
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, shown }))
  })
}

test('a passphrase is asked for at the terminal, twice for a new one, and never shown', () =>
  withTemporaryDirectory(async (directory) => {
    const world = await PublishedWorld.open(directory)
    // Typed with a slip that is rubbed out: a letter of two bytes goes as one.
    const made = await onTerminal(world, 'gittorrent keygen --passphrase', [
      [/New passphrase: /, 'xy\u0015wördzä\u007f\u007fs\r'],
      [/The same again: /, 'wörds\r'],
    ])
    assert.equal(made.status, 0, made.shown)
    assert.doesNotMatch(made.shown, /wörd|xy/)
    const [, id = '', publicKey = ''] = /([0-9a-f]{40}) ([0-9a-f]{64}) sealed/.exec(made.shown) ?? []
    assert.equal(keyId(Buffer.from(publicKey, 'hex')), id)
    const file = join(directory, 'data', 'typist', 'keys', `${id}.key`)
    const seed = await readSecret(await readFile(file, 'utf8')).open('wörds')
    assert.equal(Buffer.from(await noble.getPublicKeyAsync(seed)).toString('hex'), publicKey)
    await world.makeRepository('typist', 'project', 1)
    const publish = `gittorrent publish project --once --listen 127.0.0.1:0 --no-dht --no-lsd`
    const published = await onTerminal(world, publish, [
      [/Passphrase for key [0-9a-f]{40}: /, 'wrong\r'],
      [/Passphrase for key [0-9a-f]{40}: /, 'wörds\r'],
    ])
    assert.equal(published.status, 0, published.shown)
    assert.match(published.shown, new RegExp(`gittorrent://${id}/project`))
    assert.doesNotMatch(published.shown, /wrong|wörds/)
    const interrupted = await onTerminal(world, publish, [[/Passphrase for key/, '\u0003']])
    assert.notEqual(interrupted.status, 0)
    assert.match(interrupted.shown, /got Ctrl-C/)
    const differing = await onTerminal(world, 'gittorrent keygen --passphrase', [
      [/New passphrase: /, 'one\r'],
      [/The same again: /, 'other\r'],
    ])
    assert.match(differing.shown, /the same passphrase twice/)
  }))

test("git's askpass program is asked before the terminal, by a push as well", () =>
  withTemporaryDirectory(async (directory) => {
    const world = await PublishedWorld.open(directory)
    const program = join(directory, 'askpass')
    await writeFile(program, `#!/bin/sh\necho "$1" >> '${directory}/asked'\necho words\n`, { mode: 0o755 })
    await writeFile(join(directory, 'passphrase'), 'words\n')
    await world.run('typist', 'gittorrent', 'keygen', '--passphrase-file', 'passphrase')
    const [id = ''] = (await world.run('typist', 'gittorrent', 'keys')).split(' ')
    await world.makeRepository('typist', 'project', 1)
    const push = ['-C', 'project', 'push', '--quiet', `gittorrent://${id}/project`, 'main']
    const refused = await world.gitOutcome('typist', push)
    assert.match(refused.stderr, /expected a passphrase, got none/)
    for (const [name, count] of [
      ['GIT_ASKPASS', 1],
      ['SSH_ASKPASS', 2],
    ] as const) {
      world.environmentOfAll = { [name]: program }
      await world.commit('typist', 'project', name)
      await world.viaKey('typist', push)
      const asked = (await readFile(join(directory, 'asked'), 'utf8')).split('\n').filter(Boolean)
      assert.deepEqual(asked, Array(count).fill(`Passphrase for key ${id}: `))
    }
    // What was sealed stays sealed when it is taken in from a backup.
    await writeFile(join(directory, 'backup'), await world.run('typist', 'gittorrent', 'keys', 'export', id))
    assert.match(await world.run('other', 'gittorrent', 'keys', 'import', 'backup'), / sealed$/)
  }))
