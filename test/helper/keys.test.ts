/**
 * Goal: a key survives its file, its backup and its passphrase, and nobody but its owner reads it.
 * Method: the text format with honest and damaged input, and the commands as a user runs them.
 */
import assert from 'node:assert/strict'
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
