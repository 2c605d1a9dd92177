/**
 * Goal: our web server gives exactly the bytes that were asked for of what it shows, and nothing to anybody who asks for something
 * else, in another way, too much, too slowly, or does not read the answer.
 * Method: the server in this process with a folder made by hand; raw sockets for what no client would say; ranges against slices.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { before, it, mock } from 'node:test'
import fc from 'fast-check'
import { readSettings } from '../../helper/config.ts'
import { type ContentPayload, type FolderFiles, sha256Of } from '../../helper/export/folder-content.ts'
import { WEB_CONNECTION_COUNT_MAX, WEB_HEADER_LENGTH_MAX, WEB_UNREAD_TIMEOUT_MS } from '../../helper/limits.ts'
import { parseOrigin } from '../../helper/url.ts'
import { WebFolders } from '../../helper/web/web-folders.ts'
import { WebServer } from '../../helper/web/web-server.ts'
import { WebService } from '../../helper/web/web-service.ts'
import { Gates, HostCount } from '../../net/index.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

const LOOPBACK = { host: '127.0.0.1', port: 0 }
const TOPIC = 'ab'.repeat(20)
const OTHER_TOPIC = 'cd'.repeat(20)
const LINK = `gt1-${'1'.repeat(40)}-root.bundle`
const LARGE_LINK = `gt1-${'2'.repeat(40)}-root.bundle`
const LINK_BYTES = Buffer.from(Array.from({ length: 1000 }, (_, index) => (index * 7) % 251))
const LARGE_LENGTH = 1 << 30
const OWNER = {}

const gates = new Gates()
const folders = new WebFolders()
let server: WebServer
let sentLength = 0

function payload(name: string, lengthBytes: number, read: ContentPayload['read']): ContentPayload {
  const torrent = { name: `${name}.torrent`, bytes: () => Buffer.from(`torrent of ${name}`) }
  return { name, lengthBytes, sha256: sha256Of(Buffer.from(name)), read, torrent }
}

const small = payload(LINK, LINK_BYTES.length, async (offset, length) => LINK_BYTES.subarray(offset, offset + length))
const large = payload(LARGE_LINK, LARGE_LENGTH, async (_, length) => new Uint8Array(length))

function contentWith(payloads: readonly ContentPayload[], manifest: string): FolderFiles {
  return {
    payloads,
    pages: [
      { name: 'bundle-list', bytes: Buffer.from('list') },
      { name: 'index.html', bytes: Buffer.from('page') },
    ],
    manifest: { name: 'manifest.json', bytes: Buffer.from(manifest) },
  }
}

before(async () => {
  folders.offer(TOPIC, OWNER, {
    content: contentWith([small, large], 'manifest'),
    onSent: (count) => {
      sentLength += count
    },
  })
  untilFileEnds(gates)
  server = untilFileEnds(await WebServer.open(LOOPBACK, { folders, gate: gates.up }))
})

const urlOf = (name: string): string => `http://127.0.0.1:${server.address.port}/${TOPIC}/${name}`

async function dial(to = server): Promise<Socket> {
  const socket = connect(to.address.port, LOOPBACK.host)
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** What the server says to some bytes until it closes; '' where it says nothing. */
async function answerTo(bytes: string, to = server): Promise<string> {
  const socket = await dial(to)
  socket.write(bytes, 'latin1')
  return text(socket).catch(() => '')
}

it('ranges are the slices that they name, everything else the whole, and what lies outside is refused', async () => {
  const number = fc.integer({ min: 0, max: 1200 })
  const header = fc.oneof(
    fc.tuple(number, number).map(([a, b]) => `bytes=${a}-${b}`),
    number.map((a) => `bytes=${a}-`),
    number.map((n) => `bytes=-${n}`),
    fc.constantFrom('bytes=-', 'bytes=', 'bytes=1-2,5-6', 'lines=1-2', 'bytes=a-b', 'bytes=99999999999999999-', '1-2'),
  )
  await fc.assert(
    fc.asyncProperty(header, async (range) => {
      const response = await fetch(urlOf(LINK), { headers: { range } })
      const bytes = Buffer.from(await response.arrayBuffer())
      const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range) ?? []
      const isBackwards = first !== '' && last !== '' && Number(last) < Number(first)
      if ((first === '' && last === '') || isBackwards) {
        assert.deepEqual([response.status, bytes], [200, LINK_BYTES])
        return
      }
      const expected =
        first === ''
          ? LINK_BYTES.subarray(Math.max(0, LINK_BYTES.length - Number(last)))
          : LINK_BYTES.subarray(Number(first), last === '' ? undefined : Number(last) + 1)
      if (expected.length === 0 || (first === '' && Number(last) === 0)) {
        assert.deepEqual([response.status, response.headers.get('content-range')], [416, 'bytes */1000'])
        return
      }
      assert.deepEqual([response.status, bytes], [206, expected])
      const start = first === '' ? LINK_BYTES.length - expected.length : Number(first)
      const shown = `bytes ${start}-${start + expected.length - 1}/1000`
      assert.equal(response.headers.get('content-range'), shown)
    }),
    { numRuns: 150 },
  )
})

it('a version that is there already is not sent again, a range of another version is not given as one of this', async () => {
  const first = await fetch(urlOf('manifest.json'))
  const etag = first.headers.get('etag') ?? ''
  assert.equal(await first.text(), 'manifest')
  for (const named of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
    const again = await fetch(urlOf('manifest.json'), { headers: { 'if-none-match': named } })
    assert.deepEqual([again.status, again.headers.get('etag'), await again.text()], [304, etag, ''])
  }
  const other = await fetch(urlOf('manifest.json'), { headers: { 'if-none-match': '"x"' } })
  assert.equal(other.status, 200)
  for (const [version, status] of [
    [etag, 206],
    ['"x"', 200],
    [`W/${etag}`, 200],
  ] as const) {
    const part = await fetch(urlOf('manifest.json'), { headers: { range: 'bytes=2-3', 'if-range': version } })
    assert.equal(part.status, status)
    assert.equal(await part.text(), status === 206 ? 'ni' : 'manifest')
  }
})

it('HEAD tells what GET would, without the bytes', async () => {
  const about = async (method: string) => {
    const { status, headers } = await fetch(urlOf(LINK), { method })
    return [status, headers.get('content-length'), headers.get('etag'), headers.get('content-type')]
  }
  const before = sentLength
  assert.deepEqual(await about('HEAD'), [200, '1000', `"${small.sha256}"`, 'application/octet-stream'])
  assert.equal(sentLength, before)
  assert.deepEqual(await about('GET'), await about('HEAD'))
})

for (const path of [
  '/',
  '',
  `/${TOPIC}`,
  `/${OTHER_TOPIC}/manifest.json`,
  `/${TOPIC.toUpperCase()}/manifest.json`,
  `/${TOPIC}/../${TOPIC}/manifest.json`,
  `/${TOPIC}/./manifest.json`,
  `/${TOPIC}//manifest.json`,
  `//${TOPIC}/manifest.json`,
  `/${TOPIC}/manifest.json/`,
  `/${TOPIC}/manifest.json?x`,
  `/${TOPIC}/manifest.json#x`,
  `/${TOPIC}/manifest%2ejson`,
  `/${TOPIC}/../../../../etc/passwd`,
  `/${TOPIC}/%2e%2e/%2e%2e/etc/passwd`,
  `/${TOPIC}/..\\..\\etc\\passwd`,
  `/${TOPIC}/manifest.json\u0000`,
  `/${TOPIC}/__proto__`,
  `/${TOPIC}/constructor`,
  `/${TOPIC}/${LINK}.torrent.torrent`,
  `/${TOPIC}/${'x'.repeat(4000)}`,
  `http://127.0.0.1/${TOPIC}/manifest.json`,
  '*',
]) {
  it(`there is nothing at '${path.slice(0, 100)}'`, async () => {
    const said = await answerTo(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    assert.match(said, /^HTTP\/1\.1 40[04] /)
    assert.doesNotMatch(said, /manifest|root:|page/)
  })
}

const GOOD = `GET /${TOPIC}/manifest.json HTTP/1.1\r\nHost: x\r\n`

for (const [what, bytes, expected] of [
  ['no HTTP', 'hello\r\n\r\n', /^HTTP\/1\.1 400 /],
  ['a TLS greeting', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', /^HTTP\/1\.1 400 /],
  ['no host', `GET /${TOPIC}/manifest.json HTTP/1.1\r\n\r\n`, /^HTTP\/1\.1 400 /],
  ['two lengths', `${GOOD}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`, /^HTTP\/1\.1 400 /],
  ['a length and chunks', `${GOOD}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, /^HTTP\/1\.1 400 /],
  ['a header on two lines', `${GOOD}X: a\r\n b\r\n c\n\n\r\n\r\n`, /^HTTP\/1\.1 400 /],
  ['a body', `${GOOD}Content-Length: 4\r\n\r\nbody`, /^HTTP\/1\.1 400 /],
  ['a body without end', `${GOOD}Transfer-Encoding: chunked\r\n\r\n`, /^HTTP\/1\.1 400 /],
  ['Expect', `${GOOD}Expect: 100-continue\r\n\r\n`, /^HTTP\/1\.1 417 /],
  ['headers past the bound', `${GOOD}X: ${'x'.repeat(WEB_HEADER_LENGTH_MAX)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
  ['a path past the bound', `GET /${'x'.repeat(WEB_HEADER_LENGTH_MAX)} HTTP/1.1\r\nHost: x\r\n\r\n`, /^HTTP\/1\.1 4/],
  ['CONNECT', 'CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n', /^$/],
  ['POST', `POST /${TOPIC}/manifest.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, /^HTTP\/1\.1 405 /],
  ['DELETE', `DELETE /${TOPIC}/${LINK} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, /^HTTP\/1\.1 405 /],
  ['TRACE', `TRACE /${TOPIC}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, /^HTTP\/1\.1 405 /],
] as const) {
  it(`${what} is refused`, async () => {
    const said = await answerTo(bytes)
    assert.match(said, expected)
    assert.doesNotMatch(said, /\r\n\r\nmanifest/)
  })
}

it('requests before the answer to the one before are not kept in memory: the connection ends', async () => {
  let readCount = 0
  const counting = payload(LINK, 1 << 20, async (_, length) => {
    readCount += 1
    return new Uint8Array(length)
  })
  const own = new WebFolders()
  own.offer(TOPIC, OWNER, { content: contentWith([counting], ''), onSent: () => {} })
  const busy = await WebServer.open(LOOPBACK, { folders: own, gate: gates.up })
  try {
    const said = await answerTo(`GET /${TOPIC}/${LINK} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(500), busy)
    assert.ok(said.length < 1 << 20)
    assert.ok(readCount <= 2, `${readCount} reads`)
  } finally {
    await busy.close()
  }
})

it('one request after the other uses one connection', async () => {
  const socket = await dial()
  for (let index = 0; index < 3; index++) {
    socket.write(`${GOOD}\r\n`)
    let said = ''
    while (!said.endsWith('\r\n\r\nmanifest')) said += String((await once(socket, 'data'))[0])
  }
  socket.destroy()
})

it('who says nothing, or half a request, is not waited for', async () => {
  const impatient = await WebServer.open(LOOPBACK, { folders, gate: gates.up }, 100)
  try {
    for (const start of ['', GOOD, GOOD.slice(0, 20)]) assert.doesNotMatch(await answerTo(start, impatient), /200 OK/)
  } finally {
    await impatient.close()
  }
})

it('who does not read the answer is cut off, and little was read for him', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const before = sentLength
    const socket = await dial()
    socket.pause()
    const closed = once(socket, 'close')
    let isClosed = false
    void closed.then(() => {
      isClosed = true
    })
    socket.write(`GET /${TOPIC}/${LARGE_LINK} HTTP/1.1\r\nHost: x\r\n\r\n`)
    // Whatever is under way is let through before time goes on.
    for (let sent = -1; sent !== sentLength || sent === before; ) {
      sent = sentLength
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
    assert.ok(sentLength - before < LARGE_LENGTH / 8)
    mock.timers.tick(WEB_UNREAD_TIMEOUT_MS)
    socket.resume()
    while (!isClosed) await new Promise((resolve) => setImmediate(resolve))
  } finally {
    mock.timers.reset()
  }
})

it('every byte of a body goes through the gate of the upload limit', async () => {
  const asked: number[] = []
  const gate = {
    isLimited: true,
    whenOpen: async (length: number): Promise<void> => {
      asked.push(length)
    },
  }
  const limited = await WebServer.open(LOOPBACK, { folders, gate })
  try {
    const response = await fetch(`http://127.0.0.1:${limited.address.port}/${TOPIC}/${LARGE_LINK}`, {
      headers: { range: 'bytes=5-100004' },
    })
    assert.equal((await response.arrayBuffer()).byteLength, 100_000)
    assert.equal(
      asked.reduce((sum, length) => sum + length, 0),
      100_000,
    )
  } finally {
    await limited.close()
  }
})

it('a body that cannot be read ends the connection, so that nobody takes half of it for the whole', async () => {
  const own = new WebFolders()
  const broken = payload(LINK, 1000, () => Promise.reject(new Error('the disk is gone')))
  own.offer(TOPIC, OWNER, { content: contentWith([broken], ''), onSent: () => {} })
  const bad = await WebServer.open(LOOPBACK, { folders: own, gate: gates.up })
  try {
    const response = fetch(`http://127.0.0.1:${bad.address.port}/${TOPIC}/${LINK}`)
    await assert.rejects(response.then((answer) => answer.arrayBuffer()))
  } finally {
    await bad.close()
  }
})

it('there is room for so many connections, of which one that asks nothing makes room for the next, and for so many of one host', async () => {
  const crowd: Socket[] = []
  for (let count = 0; count < WEB_CONNECTION_COUNT_MAX; count++) crowd.push(await dial())
  const [oldest = assert.fail()] = crowd
  const isDropped = once(oldest, 'close')
  oldest.resume()
  assert.match(await answerTo(`${GOOD}Connection: close\r\n\r\n`), /^HTTP\/1\.1 200 /)
  await isDropped
  for (const socket of crowd) socket.destroy()
  const hosts = new HostCount(2)
  const leave = hosts.enter('192.0.2.1')
  assert.ok(leave !== null && hosts.enter('192.0.2.1') !== null)
  assert.equal(hosts.enter('192.0.2.1'), null)
  assert.ok(hosts.enter('192.0.2.2') !== null)
  leave()
  assert.ok(hosts.enter('192.0.2.1') !== null)
  for (let count = 0; count < 10; count++) assert.ok(hosts.enter('::ffff:127.0.0.1') !== null)
})

it('links of the state before stay until the state after the next, its documents do not; who leaves takes all away', () => {
  const own = new WebFolders()
  const has = (name: string): boolean => own.find(`/${TOPIC}/${name}`) !== null
  const offer = (payloads: readonly ContentPayload[], owner = OWNER): void =>
    own.offer(TOPIC, owner, { content: contentWith(payloads, String(payloads.length)), onSent: () => {} })
  offer([small, large])
  offer([large])
  offer([large])
  assert.ok(has(LINK) && has(`${LINK}.torrent`) && has(LARGE_LINK))
  assert.equal(own.find(`/${TOPIC}/manifest.json`)?.file.lengthBytes, 1)
  const second = {}
  offer([payload('gt1-other-root.bundle', 1, small.read)], second)
  assert.ok(has('gt1-other-root.bundle'))
  offer([])
  assert.ok(!has(LINK) && has(LARGE_LINK))
  own.withdraw(TOPIC, OWNER)
  assert.ok(!has(LARGE_LINK) && has('manifest.json') && has(''))
  own.withdraw(TOPIC, second)
  assert.ok(!has('manifest.json'))
})

it('what has a secret is never shown, what is not public only where strangers do not come, unless the user says so', async () => {
  const origin = parseOrigin('https://example.org/a.git')
  const secret = 'https://example.org/secret'
  const settings = readSettings(new Map([[`gittorrent.${secret}.secretfile`, ['/nowhere']]]), {})
  const http = { url: null, showsPrivate: false }
  for (const [host, showsPrivate, isShown] of [
    ['127.0.0.1', false, true],
    ['0.0.0.0', false, false],
    ['0.0.0.0', true, true],
  ] as const) {
    const service = await WebService.open({ ...http, listen: { host, port: 0 }, showsPrivate }, settings, gates)
    assert.ok(service !== null)
    assert.equal(service.refusalFor(origin, false) === null, isShown)
    assert.equal(service.refusalFor(origin, true), null)
    assert.match(service.refusalFor(parseOrigin(`${secret}/a.git`), true) ?? '', /secret/)
    await service.close()
  }
  assert.equal(await WebService.open({ ...http, listen: null }, settings, gates), null)
})
