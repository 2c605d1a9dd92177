/**
 * Goal: a name means one key, the reader is told why, and answers that differ are an error.
 * Method: a real DNS server and a real HTTPS server on loopback (Node's own resolver and TLS as judges), petnames on disk, and a clone.
 */
import assert from 'node:assert/strict'
import { Resolver } from 'node:dns/promises'
import { type TestContext, test } from 'node:test'
import type { Zone } from '../../bench/name-server.ts'
import { keyId } from '../../helper/keys/key-store.ts'
import { decodeTxtAnswer, encodeTxtQuery } from '../../helper/names/dns-message.ts'
import { Petnames } from '../../helper/names/petnames.ts'
import { keyOfSteps, resolveSteps } from '../../helper/names/resolve.ts'
import { directoryUntilExit, withTemporaryDirectory } from '../support/temporary-directory.ts'
import { openNameServer, openWebSite } from './name-server.ts'
import { PublishedWorld } from './published-world.ts'

const KEY = '77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548'
const ID = keyId(Buffer.from(KEY, 'hex'))
const OTHER = 'b'.repeat(40)
const DOMAIN = 'project.example'
const ADDRESS = { kind: 'domain', domain: DOMAIN, repository: 'x' } as const
const SIGNAL = new AbortController().signal

async function openWorld(t: TestContext, zone: Partial<Zone>, names = 'dns well-known') {
  const folder = directoryUntilExit()
  let current: Zone = { records: {}, isAuthenticated: false, isTruncated: false, ...zone }
  const server = await openNameServer(t, () => current)
  const site = await openWebSite(t, DOMAIN, folder)
  const config = new Map([
    ['gittorrent.dnsserver', [server]],
    ['gittorrent.names', [names]],
    ['http.sslcainfo', [site.caFile]],
  ])
  const resolve = async () => {
    const connectTo = { host: '127.0.0.1', port: site.port }
    return resolveSteps(ADDRESS, { env: { GITTORRENT_DATA: folder }, config, nowMs: 0, signal: SIGNAL, connectTo })
  }
  const change = (changes: Partial<Zone>): void => {
    current = { ...current, ...changes }
  }
  return { server, site, config, resolve, change }
}

const txt = (...texts: string[]): Zone['records'] => ({ [`_gittorrent.${DOMAIN}`]: texts })

test('a TXT record names a key, with what DNSSEC says, over UDP and over TCP', async (t) => {
  const world = await openWorld(t, { records: txt('v=spf1 -all', `gittorrent=${KEY}`) })
  const judge = new Resolver()
  judge.setServers([world.server])
  assert.deepEqual(await judge.resolveTxt(`_gittorrent.${DOMAIN}`), [['v=spf1 -all'], [`gittorrent=${KEY}`]])
  const [plain] = await world.resolve()
  assert.equal(plain?.key, KEY)
  assert.match(plain?.explanation ?? '', /without DNSSEC.*3600 s/)
  world.change({ isAuthenticated: true, isTruncated: true })
  const [vouched] = await world.resolve()
  assert.equal(vouched?.key, KEY)
  assert.match(vouched?.explanation ?? '', /DNSSEC vouches/)
})

test('the web server of the domain names a key; another certificate, a redirect or a long answer does not', async (t) => {
  const world = await openWorld(t, {}, 'well-known')
  const keyNow = async () => keyOfSteps(ADDRESS, await world.resolve())
  world.site.answer = { status: 200, text: `# keys\r\ngittorrent=${ID.toUpperCase()}\r\n` }
  assert.equal(await keyNow(), ID)
  world.site.answer = { status: 302, text: '', location: 'https://elsewhere.example/' }
  await assert.rejects(keyNow(), { code: 'name-unresolved', message: /status 302/ })
  world.site.answer = { status: 200, text: `gittorrent=${ID}\n`.repeat(1000) }
  await assert.rejects(keyNow(), { code: 'name-unresolved', message: /more than/ })
  world.site.answer = { status: 404, text: '' }
  await assert.rejects(keyNow(), { code: 'name-unresolved', message: /no document/ })
  world.site.answer = { status: 200, text: `gittorrent=${ID}\n` }
  world.config.delete('http.sslcainfo')
  await assert.rejects(keyNow(), { code: 'name-unresolved', message: /self.signed/ })
})

test('DNS and web may say the same in two ways; what differs is an error, within one answer as well', async (t) => {
  const world = await openWorld(t, { records: txt(`gittorrent=${KEY}`) })
  world.site.answer = { status: 200, text: `gittorrent=${ID}\n` }
  assert.equal(keyOfSteps(ADDRESS, await world.resolve()), KEY)
  world.site.answer = { status: 200, text: `gittorrent=${OTHER}\n` }
  const steps = await world.resolve()
  assert.throws(() => keyOfSteps(ADDRESS, steps), { code: 'name-conflict', message: new RegExp(`${ID}.*${OTHER}`) })
  world.change({ records: txt(`gittorrent=${KEY}`, `gittorrent=${OTHER}`) })
  await assert.rejects(world.resolve(), { code: 'name-conflict' })
  world.change({ records: {} })
  world.site.answer = { status: 404, text: '' }
  const none = await world.resolve()
  assert.throws(() => keyOfSteps(ADDRESS, none), { code: 'name-unresolved', message: /no record.*no document/ })
})

test('a DNS answer that is cut, mangled or for another question is none', () => {
  const query = Buffer.from(encodeTxtQuery(7, 'a.example'))
  assert.equal(decodeTxtAnswer(query, 7), null, 'a question')
  const answer = Buffer.from(query)
  answer.writeUInt16BE(0x8180, 2)
  assert.equal(decodeTxtAnswer(answer, 8), null)
  answer.writeUInt16BE(5, 6)
  for (let length = 0; length < answer.length; length++)
    assert.equal(decodeTxtAnswer(answer.subarray(0, length), 7), null)
  answer.writeUInt16BE(0x8182, 2)
  assert.throws(() => decodeTxtAnswer(answer, 7), { code: 'name-unresolved', message: /error 2/ })
  for (const name of ['', 'a..b', `${'x'.repeat(64)}.example`])
    assert.throws(() => encodeTxtQuery(1, name), { code: 'name-unresolved' })
})

test('a petname is set, replaced and removed, and goes before what strangers registered', () =>
  withTemporaryDirectory(async (directory) => {
    const petnames = new Petnames({ GITTORRENT_DATA: directory })
    await petnames.set('Friend', ID)
    await petnames.set('other', KEY)
    await petnames.set('friend', OTHER)
    assert.deepEqual(
      [...(await petnames.all())],
      [
        ['other', KEY],
        ['friend', OTHER],
      ],
    )
    const address = { kind: 'name', petname: 'FRIEND', repository: 'x' } as const
    const around = { env: { GITTORRENT_DATA: directory }, config: new Map(), nowMs: Date.now(), signal: SIGNAL }
    const steps = await resolveSteps(address, around)
    assert.deepEqual(
      steps.map(({ way }) => way),
      ['petname'],
    )
    assert.equal(keyOfSteps(address, steps), OTHER)
    await petnames.set('friend', null)
    const without = await resolveSteps(address, around)
    assert.throws(() => keyOfSteps(address, without), {
      code: 'name-unresolved',
      message: /no petname of yours.*gittorrent scan/,
    })
    for (const [name, key] of [
      ['a.b', ID],
      ['x', 'short'],
      ['x y', ID],
    ] as const)
      await assert.rejects(petnames.set(name, key), { code: 'usage' })
  }))

test('gittorrent.names says which ways are asked, and in which order', () =>
  withTemporaryDirectory(async (directory) => {
    const env = { GITTORRENT_DATA: directory }
    await new Petnames(env).set('friend', ID)
    const address = { kind: 'name', petname: 'friend', repository: 'x' } as const
    const waysWith = async (names: string): Promise<string> => {
      const around = { env, config: new Map([['gittorrent.names', [names]]]), nowMs: Date.now(), signal: SIGNAL }
      return (await resolveSteps(address, around)).map(({ way }) => way).join(' ')
    }
    assert.equal(await waysWith('petname, bitcoin'), 'petname')
    assert.equal(await waysWith('bitcoin petname'), 'bitcoin petname')
    assert.equal(await waysWith('bitcoin'), 'bitcoin')
    assert.equal(await waysWith('dns'), '')
    await assert.rejects(waysWith('petname ens'), { code: 'setting-malformed', message: /got 'ens'/ })
  }))

test('a clone by petname, and one by a domain, is a clone by key', async (t) => {
  const world = await PublishedWorld.open(directoryUntilExit())
  t.after(() => world.close())
  await world.makeRepository('owner', 'project', 3)
  const { id, publicKey } = await world.keygen('owner')
  const publisher = await world.startPublisher('owner', 'project')
  const server = await openNameServer(t, () => ({
    records: { [`_gittorrent.${DOMAIN}`]: [`gittorrent=${publicKey}`] },
    isAuthenticated: true,
    isTruncated: false,
  }))
  const settings = ['-c', `gittorrent.dnsServer=${server}`, '-c', 'gittorrent.names=petname dns']
  // As publish prints it, and as clone takes it.
  await world.run('reader', 'gittorrent', 'petname', 'friend', publisher.url)
  assert.equal(await world.run('reader', 'gittorrent', 'resolve', 'gittorrent://friend/project'), id)
  await world.viaKey('reader', ['clone', '--quiet', 'gittorrent://friend/project', 'by-petname'], [publisher.address])
  await world.viaKey(
    'reader',
    [...settings, 'clone', '--quiet', `gittorrent://@${DOMAIN}/project`, 'by-domain'],
    [publisher.address],
  )
  const head = await world.git('owner', '-C', 'project', 'rev-parse', 'HEAD')
  for (const clone of ['by-petname', 'by-domain'])
    assert.equal(await world.git('reader', '-C', clone, 'rev-parse', 'HEAD'), head)
  const unknown = await world.gitOutcome(
    'reader',
    ['clone', 'gittorrent://stranger/project', 'no-clone'],
    [publisher.address],
  )
  assert.equal(unknown.status, 128)
  assert.match(unknown.stderr, /fatal: name 'stranger': expected a key, got none/)
})
