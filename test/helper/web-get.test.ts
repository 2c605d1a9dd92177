/**
 * Goal: a URL that is not the user's own word reaches no private address, by no way; a file that several sources fill has no gap
 * in what it calls gapless; a manifest is read or refused, nothing else.
 * Method: servers of this process that count what reaches them; random ranges and random damage (fast-check) against a model.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import fc from 'fast-check'
import { type StaticServer, startStaticServer } from '../../bench/static-server.ts'
import { createCheckpointRule, EngineError, GT1, linkName, parseOid, snapshotName } from '../../engine/index.ts'
import { HelperError } from '../../helper/errors.ts'
import { encodeManifest, parseManifest } from '../../helper/export/manifest.ts'
import { IncomingFile } from '../../helper/share/supply/incoming.ts'
import { type GetOptions, WebConnections, webGet } from '../../helper/share/webseed/http-get.ts'
import { claimsOf } from '../../helper/share/webseed/web-seed.ts'
import { NetError } from '../../net/index.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'

let server: StaticServer
const connections = new WebConnections()
const options: GetOptions = { offset: 0, end: null, mustBePublic: true, signal: new AbortController().signal }

before(async () => {
  server = await startStaticServer('/nowhere')
})

after(async () => {
  connections.close()
  await server.close()
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
  const link = {
    tip: oid,
    base: null,
    level: 1,
    token: 3,
    commits: 3,
    objects: 9,
    file: linkName(oid, null),
    bytes: 500,
    sha256: hash,
    infohash: 'cd'.repeat(20),
    segments: [{ tip: oid, objects: 9, commits: 3, bytes: 400, sha256: hash }],
    pieces: Buffer.alloc(20).toString('base64'),
  }
  const good = Buffer.from(
    encodeManifest({
      objectFormat: 'sha1',
      topic: 'ef'.repeat(20),
      clock: 1,
      bytes: 500,
      urls: ['https://example.org/'],
      trackers: [],
      chains: [{ ref: 'refs/heads/main', tip: oid, links: [link] }],
      snapshots: [
        {
          commit: oid,
          objects: 3,
          file: snapshotName(oid),
          bytes: 90,
          sha256: hash,
          infohash: hash.slice(24),
          pieces: link.pieces,
        },
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
        claimsOf(parseManifest(Buffer.from(text)), levelOf)
      } catch (error) {
        const isOurs = error instanceof HelperError || error instanceof EngineError || error instanceof NetError
        assert.ok(isOurs, String(error))
      }
    }),
    { numRuns: 2000 },
  )
})
