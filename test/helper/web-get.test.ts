/**
 * Goal: a URL that is not the user's own word reaches no private address, by no way; a file that several sources fill has no gap
 * in what it calls gapless; a manifest is read or refused, nothing else, and sent again only when it has changed.
 * Method: servers of this process that count what reaches them; random ranges and random damage (fast-check) against a model.
 */

import assert from 'node:assert/strict'
import { readdir, readFile, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it, mock } from 'node:test'
import fc from 'fast-check'
import { type StaticServer, startStaticServer } from '../../bench/static-server.ts'
import { createCheckpointRule, EngineError, GT1, linkName, parseOid, snapshotName } from '../../engine/index.ts'
import { HelperError } from '../../helper/errors.ts'
import { encodeManifest, parseManifest } from '../../helper/export/manifest.ts'
import { encodeSegments } from '../../helper/export/manifest-segments.ts'
import { MANIFEST_KEPT_LENGTH_MAX } from '../../helper/limits.ts'
import { IncomingFile } from '../../helper/share/supply/incoming.ts'
import { type GetOptions, WebConnections, webGet } from '../../helper/share/webseed/http-get.ts'
import { type ManifestCache, openManifestCache } from '../../helper/share/webseed/manifest-cache.ts'
import { claimsOf, fetchManifest, readWebSeed } from '../../helper/share/webseed/web-seed.ts'
import { NetError } from '../../net/index.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

let server: StaticServer
const connections = new WebConnections()
const options: GetOptions = { offset: 0, end: null, mustBePublic: true, signal: new AbortController().signal }

before(async () => {
  untilFileEnds(connections)
  server = untilFileEnds(await startStaticServer('/nowhere'))
})

function isRefusal(pattern: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof HelperError && error.code === 'webseed-failed' && pattern.test(error.message)
}

for (const host of ['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '2130706433', '0x7f.1', '0.0.0.0']) {
  it(`http://${host} is not asked on the word of others`, async () => {
    const { port } = new URL(server.url)
    const url = `http://${host}:${port}/manifest.json`
    await assert.rejects(webGet(url, options, connections), isRefusal(/public address/))
    assert.deepEqual(server.requests, [])
  })
}

it('a connection kept from an earlier request does not get around that', async () => {
  const { port } = new URL(server.url)
  const url = `http://localhost:${port}/manifest.json`
  await assert.rejects(webGet(url, { ...options, mustBePublic: false }, connections), isRefusal(/got 404/))
  const asked = server.requests.length
  await assert.rejects(webGet(url, options, connections), isRefusal(/public address/))
  assert.ok(server.requests.length <= asked + 1)
})

for (const location of ['file:///etc/passwd', 'ftp://example.org/', 'gopher://example.org', '//', '']) {
  it(`a redirect to '${location}' is refused`, async () => {
    const moved = await startStaticServer('/nowhere', {
      intercept: (_, response) => {
        response.writeHead(302, { location }).end()
        return true
      },
    })
    try {
      const url = `${moved.url}/x`
      await assert.rejects(webGet(url, { ...options, mustBePublic: false }, connections), isRefusal(/redirect/))
    } finally {
      await moved.close()
    }
  })
}

it('compressed answers and wrong ranges are refused', async () => {
  const answers: Record<string, [number, Record<string, string>]> = {
    '/zipped': [200, { 'content-encoding': 'gzip' }],
    '/elsewhere': [206, { 'content-range': 'bytes 5-9/10' }],
    '/nothing': [206, {}],
    '/missing': [404, {}],
  }
  const odd = await startStaticServer('/nowhere', {
    intercept: (request, response) => {
      const [status, headers] = answers[request.url ?? ''] ?? [500, {}]
      response.writeHead(status, headers).end('x')
      return true
    },
  })
  try {
    for (const path of Object.keys(answers))
      await assert.rejects(
        webGet(`${odd.url}${path}`, { ...options, offset: 3, mustBePublic: false }, connections),
        isRefusal(/expected/),
      )
  } finally {
    await odd.close()
  }
})

it('a body comes as the gate of downloads lets it pass, and a server that has to wait for us has not stalled', async () => {
  const bytes = Buffer.alloc(1_000_000, 7)
  const web = await startStaticServer('/nowhere', {
    intercept: (_, response) => {
      response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
      return true
    },
  })
  const asked: number[] = []
  const opened: (() => void)[] = []
  let noteAsked = (): void => {}
  const gated = new WebConnections({
    whenOpen: (length) => {
      asked.push(length)
      noteAsked()
      return new Promise((resolve) => opened.push(resolve))
    },
  })
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  try {
    const { body } = await webGet(`${web.url}/`, { ...options, mustBePublic: false }, gated)
    let read = 0
    const reading = (async () => {
      for await (const part of body) read += part.length
    })()
    while (read < bytes.length) {
      if (opened.length === 0) {
        await new Promise<void>((resolve) => {
          noteAsked = resolve
        })
      }
      // Nothing is read behind the gate, however long it takes.
      mock.timers.tick(3_600_000)
      assert.equal(opened.length, 1)
      assert.equal(
        read,
        asked.slice(0, -1).reduce((sum, length) => sum + length, 0),
      )
      opened.pop()?.()
      if (asked.reduce((sum, length) => sum + length, 0) === bytes.length) await reading
    }
    assert.equal(read, bytes.length)
  } finally {
    mock.timers.reset()
    gated.close()
    await web.close()
  }
})

it('whatever order ranges arrive in, and however they overlap, what is there from any offset on is what they cover', async () => {
  const range = fc.record({ offset: fc.integer({ min: 0, max: 60 }), length: fc.integer({ min: 1, max: 30 }) })
  const ranges = fc.array(range, { minLength: 1, maxLength: 20 })
  await withTemporaryDirectory((directory) =>
    fc.assert(
      fc.asyncProperty(ranges, fc.integer({ min: 0, max: 90 }), async (arriving, from) => {
        const file = await IncomingFile.open(join(directory, 'incoming'))
        for (const one of arriving) file.noteArrived(one)
        const covered = new Set(arriving.flatMap(({ offset, length }) => Array.from({ length }, (_, i) => offset + i)))
        let expected = from
        while (covered.has(expected)) expected++
        file.noteFailed(new Error('no more'))
        const found = await file.waitFrom(from).catch(() => from)
        await file.close()
        assert.equal(found, expected)
        assert.equal(file.hasArrived({ offset: from, length: expected - from + 1 }), false)
        assert.equal(file.arrivedFrom(from), expected)
      }),
      { numRuns: 200 },
    ),
  )
})

it('a damaged manifest is refused with an error of ours, or claims what can be checked', async () => {
  const levelOf = await createCheckpointRule(GT1)
  const oid = parseOid('0'.repeat(40), 'sha1')
  const hash = 'ab'.repeat(32)
  const record = encodeSegments([{ tip: oid, objectCount: 9, commitCount: 3, length: 400, sha256: hash }])
  const link = {
    tip: oid,
    base: null,
    level: 1,
    token: 3,
    file: linkName(oid, null),
    bytes: 500,
    sha256: hash,
    infohash: 'cd'.repeat(20),
    segments: Buffer.from(record).toString('base64'),
    segmentsSha256: null,
  }
  const good = Buffer.from(
    encodeManifest({
      objectFormat: 'sha1',
      topic: 'ef'.repeat(20),
      clock: 1,
      bytes: 500,
      urls: ['https://example.org/'],
      trackers: [],
      chains: [{ ref: 'refs/heads/main', tip: oid, links: [link], pack: 0 }],
      snapshots: [
        { commit: oid, objects: 3, file: snapshotName(oid), bytes: 90, sha256: hash, infohash: hash.slice(24) },
      ],
      superseded: [{ file: linkName(oid, null), bytes: 1, sha256: hash, infohash: 'cd'.repeat(20), since: 1 }],
    }),
  )
  assert.deepEqual(parseManifest(good).chains[0]?.links[0], link)
  const pieces = ['"', '[', ']', '{', '}', ',', '-1', '1e99', 'null', '"__proto__"', '0', 'x', '\\u0000']
  const damage = fc.record({
    at: fc.nat(good.length),
    count: fc.nat(40),
    text: fc.constantFrom(...pieces),
  })
  fc.assert(
    fc.property(fc.array(damage, { minLength: 1, maxLength: 4 }), (damages) => {
      let text = good.toString()
      for (const { at, count, text: inserted } of damages) text = text.slice(0, at) + inserted + text.slice(at + count)
      try {
        claimsOf(parseManifest(Buffer.from(text)), new Map(), levelOf)
      } catch (error) {
        const isOurs = error instanceof HelperError || error instanceof EngineError || error instanceof NetError
        assert.ok(isOurs, String(error))
      }
    }),
    { numRuns: 2000 },
  )
})

const NO_CHAINS = {
  objectFormat: 'sha1',
  topic: null,
  bytes: 0,
  urls: [],
  trackers: [],
  chains: [],
  snapshots: [],
  superseded: [],
} as const

async function readThrough(cache: ManifestCache, url: string): Promise<void> {
  const levelOf = await createCheckpointRule(GT1)
  const place = { url, mustBePublic: false, isVouchedFor: false }
  const refs = new Map<string, string>()
  const flags = { isShallow: false, isClone: true, isUnshallow: false }
  const { signal } = options
  const request = {
    gitDir: '',
    origin: '',
    objectFormat: 'sha1',
    wants: [],
    haves: [],
    refs,
    head: null,
    ...flags,
    signal,
  } as const
  await readWebSeed(place, await fetchManifest(place, connections, cache, signal), request, levelOf, connections)
}

it('a manifest that is kept is sent again when it has changed, or when what is kept is damaged, and else not', async () => {
  await withTemporaryDirectory(async (folder) => {
    const path = join(folder, 'manifest.json')
    await writeFile(path, encodeManifest({ ...NO_CHAINS, clock: 1 }))
    const kept = join(folder, 'kept')
    const cache = openManifestCache(kept)
    const web = await startStaticServer(folder)
    try {
      const sentFor = async (): Promise<number> => {
        const before = web.sentBytes()
        await readThrough(cache, `${web.url}/manifest.json`)
        return web.sentBytes() - before
      }
      const { length } = await readFile(path)
      assert.deepEqual([await sentFor(), await sentFor(), await sentFor()], [length, 0, 0])
      await writeFile(path, encodeManifest({ ...NO_CHAINS, clock: 10 }))
      assert.deepEqual([await sentFor(), await sentFor()], [length + 1, 0])
      const [name = ''] = await readdir(kept)
      const bytes = await readFile(join(kept, name))
      await writeFile(join(kept, name), bytes.fill(32, bytes.length - 5))
      assert.deepEqual([await sentFor(), await sentFor()], [length + 1, 0])
    } finally {
      await web.close()
    }
  })
})

it('a server that tells only a date is asked by it; what must not be stored, or has no version, is not kept', async () => {
  const manifest = encodeManifest({ ...NO_CHAINS, clock: 1 })
  const date = 'Thu, 01 Jan 2026 00:00:00 GMT'
  const asked: (string | undefined)[] = []
  const web = await startStaticServer('/nowhere', {
    intercept: (request, response) => {
      asked.push(request.headers['if-modified-since'])
      const headers = {
        '/dated': { 'last-modified': date },
        '/private': { 'last-modified': date, 'cache-control': 'private, no-store' },
      }[request.url ?? '']
      if (asked.at(-1) === date || request.url === '/304') response.writeHead(304, headers).end()
      else response.writeHead(200, headers).end(manifest)
      return true
    },
  })
  try {
    await withTemporaryDirectory(async (folder) => {
      const cache = openManifestCache(join(folder, 'kept'))
      for (const path of ['/dated', '/dated', '/private', '/private', '/bare', '/bare'])
        await readThrough(cache, `${web.url}${path}`)
      assert.deepEqual(asked, [undefined, date, undefined, undefined, undefined, undefined])
      await assert.rejects(readThrough(cache, `${web.url}/304`), isRefusal(/got 304/))
    })
  } finally {
    await web.close()
  }
})

it('no more manifests are kept than there is room for, and the latest ones stay', async () => {
  await withTemporaryDirectory(async (folder) => {
    for (const name of ['1', '2', '3', '4']) {
      await writeFile(join(folder, name), '')
      await truncate(join(folder, name), MANIFEST_KEPT_LENGTH_MAX / 4)
      await utimes(join(folder, name), Number(name), Number(name))
    }
    const cache = openManifestCache(folder)
    const kept = { bytes: Buffer.from('{}'), validators: { etag: '"1"', lastModified: null } }
    await cache.keep('https://a.example/', kept)
    assert.deepEqual(await cache.find('https://a.example/'), kept)
    assert.deepEqual((await readdir(folder)).filter((name) => name.length === 1).sort(), ['2', '3', '4'])
  })
})
