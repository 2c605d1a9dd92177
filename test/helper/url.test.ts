/**
 * Goal: a URL has one meaning, people who write the same origin differently meet at one topic name, and nothing private
 * is ever looked up in public.
 * Method: vectors for each rule of helper/url.ts, helper/topic-name.ts and helper/public-origin.ts.
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HelperError } from '../../helper/errors.ts'
import { isPublicOrigin } from '../../helper/public-origin.ts'
import { topicNameOf } from '../../helper/topic-name.ts'
import { type Origin, parseRemoteUrl } from '../../helper/url.ts'

const KEY = 'abcdef0123'.repeat(4)

function originOf(url: string): Origin {
  const parsed = parseRemoteUrl(url)
  assert.equal(parsed.kind, 'origin', url)
  return parsed.kind === 'origin' ? parsed : assert.fail()
}

describe('kinds of URLs', () => {
  const vectors: readonly (readonly [string, string])[] = [
    ['https://example.com/a', 'origin'],
    ['gittorrent::https://example.com/a', 'origin'],
    ['gittorrent://example.com/a', 'origin'],
    ['gittorrent://localhost/a', 'origin'],
    ['gittorrent://name:8443/a', 'origin'],
    ['gittorrent://[::1]/a', 'origin'],
    ['gittorrent://user@example.com/a', 'origin'],
    [`gittorrent://${KEY}/a`, 'key'],
    [`gittorrent://${KEY.toUpperCase()}/a`, 'key'],
    [`gittorrent://${'0'.repeat(64)}/a`, 'key'],
    [`gittorrent://${KEY}.example.com/a`, 'origin'],
    [`gittorrent://${'0'.repeat(41)}/a`, 'name'],
    ['gittorrent://alice/a', 'name'],
    ['gittorrent://@example.com/a', 'domain'],
  ]
  for (const [url, kind] of vectors) {
    it(`${url} is of kind ${kind}`, () => assert.equal(parseRemoteUrl(url).kind, kind))
  }

  it('gittorrent://host/path means the https origin', () => {
    assert.equal(originOf('gittorrent://example.com:8443/a/b.git').url, 'https://example.com:8443/a/b.git')
  })

  it('lfs= before an http or https URL changes nothing', () => {
    assert.deepEqual(originOf('gittorrent::lfs=https://example.com/a'), originOf('https://example.com/a'))
    assert.deepEqual(originOf('lfs=http://u@h:81/a'), originOf('http://u@h:81/a'))
    assert.equal(originOf('lfs=host:a').scheme, 'ssh')
  })

  const refused = [
    '',
    'ext::sh -c true',
    'gittorrent::gittorrent::https://example.com/a',
    'ftp://example.com/a',
    'https://example.com',
    'https:///a',
    'https://example.com:0/a',
    'https://example.com:70000/a',
    'ssh://-oProxyCommand=x/a',
    'example.com:-x',
    '-oProxyCommand=x:a',
    '-u',
    'git://user@example.com/a',
    'git://example.com/a%0ahost=b',
    'https://example.com/a\nb',
    'gittorrent:///a',
    '..:a',
    '%2e:a',
    'e.#:a',
    '[[]:a',
    'https://example..com/a',
    'https://example.com../a',
    'ssh://[::1:]/a',
    'ssh://[:%2e:1]:22/a',
    '[::g]:a',
    'gittorrent://alice',
    'gittorrent://al ice/a',
    'gittorrent://@nodot/a',
    `https://example.com/${'a'.repeat(5000)}`,
  ]
  for (const url of refused) {
    it(`refuses ${JSON.stringify(url.slice(0, 60))}`, () => {
      assert.throws(
        () => parseRemoteUrl(url),
        (error) => error instanceof HelperError && /^url-/.test(error.code) && !error.message.includes('\n'),
      )
    })
  }
})

describe('parts of an origin', () => {
  const vectors: readonly (readonly [string, Partial<Origin>])[] = [
    ['ssh://git@example.com:2222/a/b', { scheme: 'ssh', user: 'git', host: 'example.com', port: 2222, path: '/a/b' }],
    ['ssh://example.com/~bob/a%20b', { path: '~bob/a b' }],
    ['git@example.com:a/b.git', { scheme: 'ssh', user: 'git', host: 'example.com', port: null, path: 'a/b.git' }],
    ['example.com:/abs', { scheme: 'ssh', user: null, path: '/abs' }],
    ['[::1]:a', { scheme: 'ssh', host: '::1', path: 'a' }],
    ['git@[host:2222]:a', { scheme: 'ssh', host: 'host', port: 2222, path: 'a' }],
    ['/srv/git/a.git', { scheme: 'file', path: '/srv/git/a.git' }],
    ['./a:b', { scheme: 'file', path: './a:b' }],
    ['file:///srv/a%20b', { scheme: 'file', path: '/srv/a b' }],
    ['git://example.com/~bob/a', { scheme: 'git', path: '~bob/a' }],
    ['HTTPS://Example.com/a%20b', { scheme: 'https', host: 'Example.com', path: '/a%20b' }],
    ['https://u:p@example.com/a', { user: 'u:p' }],
    ['ssh://::1/a', { host: '::1', port: null }],
    ['ssh://me@::1/a', { user: 'me', host: '::1', port: null }],
    ['ssh://[me@::1]:22/a', { user: 'me', host: '::1', port: 22 }],
  ]
  for (const [url, parts] of vectors) {
    it(`${url}`, () => assert.deepEqual({ ...originOf(url), ...parts }, originOf(url)))
  }
})

describe('topic names', () => {
  const vectors: readonly (readonly [string, string])[] = [
    ['https://github.com/git/git', 'github.com/git/git'],
    ['https://github.com/git/git.git', 'github.com/git/git'],
    ['https://GitHub.COM/git/git/', 'github.com/git/git'],
    ['https://github.com./git//git.git/', 'github.com/git/git'],
    ['http://github.com/git/git', 'github.com/git/git'],
    ['https://github.com:443/git/git', 'github.com/git/git'],
    ['ssh://git@github.com/git/git.git', 'github.com/git/git'],
    ['ssh://git@github.com:22/git/git.git', 'github.com/git/git'],
    ['git@github.com:git/git.git', 'github.com/git/git'],
    ['git@github.com:/git/git.git', 'github.com/git/git'],
    ['git://github.com/git/git', 'github.com/git/git'],
    ['git://github.com:9418/git/git', 'github.com/git/git'],
    ['https://user:secret@github.com/git/git', 'github.com/git/git'],
    ['gittorrent://github.com/git/git', 'github.com/git/git'],
    ['https://github.com:8443/git/git', 'github.com:8443/git/git'],
    ['https://github.com/Git/git', 'github.com/Git/git'],
    ['https://example.com/a/./b/../c', 'example.com/a/c'],
    ['https://example.com/%7Ebob/%61', 'example.com/~bob/a'],
    ['https://example.com/a%20b', 'example.com/a%20b'],
    ['example.com:a b', 'example.com/a%20b'],
    ['https://example.com/a%2fb', 'example.com/a/b'],
    ['https://example.com/caf%c3%a9', 'example.com/caf%C3%A9'],
    ['ssh://example.com/café', 'example.com/caf%C3%A9'],
    ['https://bücher.example/a', 'xn--bcher-kva.example/a'],
    ['https://[2001:DB8:0::1]/a', '[2001:db8::1]/a'],
    ['/srv/git/a.git', '/srv/git/a'],
    ['file:///srv/work/a/.git', '/srv/work/a'],
  ]
  for (const [url, name] of vectors) it(`${url} is ${name}`, () => assert.equal(topicNameOf(originOf(url)), name))
})

describe('public origins', () => {
  const isPublic = [
    'https://github.com/a',
    'http://example.org/a',
    'git://example.org/a',
    'https://8.8.8.8/a',
    'https://[2606:4700::1]/a',
    'gittorrent://codeberg.org/a',
  ]
  const isPrivate = [
    'ssh://github.com/a',
    'git@github.com:a',
    'https://user@github.com/a',
    'https://user:secret@github.com/a',
    'https://github.com/a?private_token=x',
    'https://localhost/a',
    'https://intranet/a',
    'https://git.local/a',
    'https://git.internal/a',
    'https://git.corp/a',
    'https://router.home.arpa/a',
    'https://127.0.0.1/a',
    'https://127.1/a',
    'https://0x7f000001/a',
    'https://2130706433/a',
    'https://10.1.2.3/a',
    'https://172.31.0.1/a',
    'https://192.168.1.1:8443/a',
    'https://100.64.0.1/a',
    'https://169.254.1.1/a',
    'https://0.0.0.0/a',
    'https://224.0.0.1/a',
    'https://[::1]/a',
    'https://[::]/a',
    'https://[fe80::1]/a',
    'https://[fd00::1]/a',
    'https://[::ffff:192.168.1.1]/a',
    'https://[2001:db8::1]/a',
    'https://[2002:c0a8:101::1]/a',
    '/srv/a',
    'file:///srv/a',
  ]
  for (const url of isPublic) it(`${url} is public`, () => assert.equal(isPublicOrigin(originOf(url)), true))
  for (const url of isPrivate) it(`${url} is not`, () => assert.equal(isPublicOrigin(originOf(url)), false))
})
