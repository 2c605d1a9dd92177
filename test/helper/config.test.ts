/**
 * Goal: settings come from git configuration, environment and options in this order of precedence, and a bad one is
 * named with its key and value.
 * Method: the parser on text as `git config --list -z` prints it, and vectors for each setting.
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseGitConfig, readGitConfig, readSettings } from '../../helper/config.ts'
import { HelperError } from '../../helper/errors.ts'
import { hermeticEnvironment } from '../support/git.ts'

const NOTHING = parseGitConfig('')

describe('settings', () => {
  it('peers are remembered below the state folder of the user, unless he says no', () => {
    const memoryOf = (env: Record<string, string>): string | null => readSettings(NOTHING, env).peerMemory
    assert.equal(memoryOf({ HOME: '/home/u' }), '/home/u/.local/state/gittorrent/peers')
    assert.equal(memoryOf({ HOME: '/home/u', XDG_STATE_HOME: '/state' }), '/state/gittorrent/peers')
    assert.equal(memoryOf({ HOME: '/home/u', GITTORRENT_HOME: '/elsewhere' }), '/elsewhere/peers')
    assert.equal(memoryOf({ HOME: '/home/u', XDG_STATE_HOME: 'relative' }), '/home/u/.local/state/gittorrent/peers')
    assert.equal(memoryOf({ HOME: '/home/u', GITTORRENT_REMEMBER: 'false' }), null)
  })

  it('local service discovery for private origins has to be asked for', () => {
    const asked = (env: Record<string, string>, options = {}): boolean => readSettings(NOTHING, env, options).isLsdAsked
    assert.equal(asked({ GITTORRENT_LSD: 'true' }), true)
    assert.equal(asked({ GITTORRENT_LSD: 'true' }, { 'no-lsd': true }), false)
    assert.equal(asked({ GITTORRENT_LSD: 'false' }), false)
  })

  it('each way in that is on by itself is switched off by an option, whatever else is said', () => {
    const ways = ['dht', 'lsd', 'gossip', 'mirrors'] as const
    const env = {
      GITTORRENT_DHT: 'true',
      GITTORRENT_LSD: 'true',
      GITTORRENT_GOSSIP: 'true',
      GITTORRENT_MIRRORS: 'true',
    }
    for (const off of ways) {
      const settings = readSettings(NOTHING, env, { [`no-${off}`]: true })
      assert.deepEqual(
        ways.filter((way) => !settings[way]),
        [off],
      )
    }
    const home = { HOME: '/home/u', GITTORRENT_REMEMBER: 'true' }
    assert.equal(readSettings(NOTHING, home, { 'no-remember': true }).peerMemory, null)
  })

  it('nothing said means no peers, no limits, dht and lsd on', () => {
    const settings = readSettings(NOTHING, {})
    assert.deepEqual(settings, {
      listen: null,
      peers: [],
      trackers: [],
      dhtBootstrap: null,
      dht: true,
      gossip: true,
      lsd: true,
      mirrors: true,
      mirrorOrder: ['bundle/http', 'bundle/torrent-magnet', 'bundle/torrent', 'fetch/git', 'fetch/http'],
      isListenAllowed: true,
      isLsdAsked: false,
      peerMemory: null,
      manifestFolder: null,
      secretScopes: [],
      webseeds: [],
      webseedKeys: [],
      secretFile: null,
      uploadLimit: null,
      downloadLimit: null,
      summary: 'auto',
      seed: false,
      home: null,
    })
  })

  it('a secret file is an absolute path or one in the home directory', () => {
    const fileOf = (value: string): string | null =>
      readSettings(parseGitConfig(`gittorrent.secretfile\n${value}\0`), { HOME: '/home/u' }).secretFile
    assert.equal(fileOf('/run/secrets/farm'), '/run/secrets/farm')
    assert.equal(fileOf('~/.config/farm'), '/home/u/.config/farm')
    assert.equal(fileOf(''), null)
    assert.throws(() => fileOf('farm'), /gittorrent.secretFile: expected an absolute path, got 'farm'/)
  })

  it('keys of web seeds are whole keys or whole ids', () => {
    const keysOf = (value: string) => readSettings(NOTHING, { GITTORRENT_WEBSEED_KEY: value }).webseedKeys
    assert.deepEqual(keysOf(`${'AB'.repeat(32)} ${'cd'.repeat(20)}`), ['ab'.repeat(32), 'cd'.repeat(20)])
    for (const value of ['ab', 'ab'.repeat(31), 'xy'.repeat(32)]) assert.throws(() => keysOf(value), /40 or 64/)
  })

  it('options beat the environment, which beats git configuration, each list as a whole', () => {
    const config = parseGitConfig('gittorrent.peer\n1.1.1.1:1\0gittorrent.peer\n[::1]:2\0gittorrent.dht\nno\0')
    const env = { GITTORRENT_PEER: '2.2.2.2:2, 3.3.3.3:3' }
    assert.deepEqual(readSettings(config, {}).peers, [
      { host: '1.1.1.1', port: 1 },
      { host: '::1', port: 2 },
    ])
    assert.deepEqual(
      readSettings(config, env).peers.map((peer) => peer.port),
      [2, 3],
    )
    assert.deepEqual(
      readSettings(config, env, { peer: ['h:4'] }).peers.map((peer) => peer.port),
      [4],
    )
    assert.equal(readSettings(config, {}).dht, false)
    assert.equal(readSettings(NOTHING, {}, { 'no-lsd': true }).lsd, false)
  })

  it('an empty value clears the ones before it, and an empty bootstrap list is not the default one', () => {
    const config = parseGitConfig('gittorrent.peer\n1.1.1.1:1\0gittorrent.peer\n\0gittorrent.dhtbootstrap\n\0')
    assert.deepEqual(readSettings(config, {}).peers, [])
    assert.deepEqual(readSettings(config, {}).dhtBootstrap, [])
  })

  it('a variable without a value is true, and rates take k, m and g', () => {
    const config = parseGitConfig('gittorrent.lsd\0gittorrent.uploadlimit\n3k\0gittorrent.downloadlimit\n2M\0')
    const settings = readSettings(config, {})
    assert.deepEqual([settings.lsd, settings.uploadLimit, settings.downloadLimit], [true, 3072, 2 * 1024 * 1024])
  })

  for (const [name, value] of [
    ['peer', 'nohost'],
    ['peer', 'h:0'],
    ['peer', 'h:70000'],
    ['listen', 'h:x'],
    ['tracker', 'ftp://x/'],
    ['webseed', 'x'],
    ['dht', 'maybe'],
    ['uploadLimit', '0'],
    ['uploadLimit', '-1'],
    ['downloadLimit', '1t'],
    ['summary', 'often'],
  ] as const) {
    it(`refuses gittorrent.${name} = ${value}, naming both`, () => {
      assert.throws(
        () => readSettings(parseGitConfig(`gittorrent.${name.toLowerCase()}\n${value}\0`), {}),
        (error) =>
          error instanceof HelperError &&
          error.code === 'setting-malformed' &&
          error.message.includes(`gittorrent.${name}`) &&
          error.message.includes(`'${value}'`),
      )
    })
  }

  it('git itself is asked once, -c options included', async () => {
    const environment = hermeticEnvironment({
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'gittorrent.peer',
      GIT_CONFIG_VALUE_0: '127.0.0.1:7001',
    })
    const config = await readGitConfig(environment, { cwd: '/' })
    assert.deepEqual(readSettings(config, environment).peers, [{ host: '127.0.0.1', port: 7001 }])
  })
})
