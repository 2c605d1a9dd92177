/**
 * Goal: the relay reads and changes pkt-lines exactly as it must, whatever the chunks, and never buffers an answer.
 * Method: the parts alone on bytes made by hand: reader, packets, fetch requests, acknowledgments, policy, ssh, proxy.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { Readable, Writable } from 'node:stream'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseGitConfig } from '../../helper/config.ts'
import { HelperError } from '../../helper/errors.ts'
import { shareLine } from '../../helper/progress.ts'
import { acknowledgmentFilter } from '../../helper/remote/acknowledgments.ts'
import { ByteReader } from '../../helper/remote/byte-reader.ts'
import { ByteWriter } from '../../helper/remote/byte-writer.ts'
import { commandOf, encodeWith, parseFetchRequest } from '../../helper/remote/fetch-request.ts'
import { openGitSocket, proxyFor } from '../../helper/remote/git-socket.ts'
import { encodeKnownRequest, offersRounds, readKnownAnswer } from '../../helper/remote/known-commits.ts'
import { AnswerScanner, encodePacket, type Packet, readPacket } from '../../helper/remote/pkt-line.ts'
import { requireAllowed } from '../../helper/remote/policy.ts'
import { enterOrigin } from '../../helper/remote/recursion.ts'
import { parseOrigin } from '../../helper/url.ts'

const A = 'a'.repeat(40)
const B = 'b'.repeat(40)
const C = 'c'.repeat(40)

/** Splits `bytes` into chunks of the given lengths, in turn. */
function readerOf(bytes: Uint8Array, lengths: readonly number[] = [65536]): ByteReader {
  const chunks: Buffer[] = []
  for (let offset = 0, turn = 0; offset < bytes.length; turn++) {
    const length = Math.max(1, lengths[turn % lengths.length] ?? 1)
    chunks.push(Buffer.from(bytes.subarray(offset, offset + length)))
    offset += length
  }
  return new ByteReader(Readable.from(chunks, { objectMode: false }))
}

async function packetsOf(...lines: readonly string[]): Promise<Packet[]> {
  const encoded = lines.map((line) => (/^000[0-2]$/.test(line) ? Buffer.from(line) : encodePacket(`${line}\n`)))
  const reader = readerOf(Buffer.concat(encoded))
  const packets: Packet[] = []
  for (let packet = await readPacket(reader); packet !== null; packet = await readPacket(reader)) packets.push(packet)
  return packets
}

describe('pkt-lines', () => {
  it('come out as they went in, however the bytes are cut', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.uint8Array({ maxLength: 3000 }), fc.constantFrom('0000', '0001', '0002'))),
        fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1 }),
        async (items, lengths) => {
          const raws = items.map((item) => (typeof item === 'string' ? Buffer.from(item) : encodePacket(item)))
          const reader = readerOf(Buffer.concat(raws), lengths)
          for (const raw of raws) assert.deepEqual((await readPacket(reader))?.raw, raw)
          assert.equal(await readPacket(reader), null)
        },
      ),
      { numRuns: 50 },
    ))

  it('the end of an answer is found wherever the chunks are cut, and nothing behind it is taken', () =>
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 })),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (payloads, lengths) => {
          const answer = Buffer.concat([...payloads.map((payload) => encodePacket(payload)), Buffer.from('00010000')])
          const bytes = Buffer.concat([answer, Buffer.from('0002next')])
          const scanner = new AnswerScanner('flush')
          let offset = 0
          for (let turn = 0; ; turn++) {
            const chunk = bytes.subarray(offset, offset + (lengths[turn % lengths.length] ?? 1))
            const end = scanner.endIn(chunk)
            if (end >= 0) return assert.equal(offset + end, answer.length)
            offset += chunk.length
          }
        },
      ),
    ))

  for (const bad of ['0003', '00zz', '-001', 'ffff', 'fff1', '0 10', '0010ab', '00']) {
    it(`refuses ${JSON.stringify(bad)}`, () =>
      assert.rejects(readPacket(readerOf(Buffer.from(bad))), (error) => error instanceof HelperError))
  }

  it('a line longer than its bound is refused before it is held', async () => {
    await assert.rejects(readerOf(Buffer.alloc(1000, 'x'), [10]).line(100), { code: 'limit' })
  })

  it('a writer that waits often leaves no listeners behind', async () => {
    const stream = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, done) => setImmediate(done) })
    const writer = new ByteWriter(stream)
    await writer.write('once')
    const before = stream.eventNames().map((name) => stream.listenerCount(name))
    for (let index = 0; index < 100; index++) await writer.write('again')
    assert.deepEqual(
      stream.eventNames().map((name) => stream.listenerCount(name)),
      before,
    )
  })

  it('a writer whose reader has gone fails, and does not hang', async () => {
    const stream = new Writable({ highWaterMark: 1, write: () => {} })
    const writer = new ByteWriter(stream)
    const pending = writer.write('something')
    stream.destroy()
    await assert.rejects(pending, { code: 'client-protocol' })
  })
})

describe('fetch requests', () => {
  it('are read, and get wants and haves before done', async () => {
    const request = await packetsOf(
      'command=fetch',
      'object-format=sha256',
      '0001',
      'include-tag',
      `want ${A}`,
      'done',
      '0000',
    )
    assert.equal(commandOf(request), 'fetch')
    assert.deepEqual(parseFetchRequest(request), {
      objectFormat: 'sha256',
      wants: [A],
      wantRefs: [],
      haves: [],
      shallows: [],
      isDone: true,
      includesTags: true,
      isBanded: false,
      isPlain: true,
      isShallowClone: false,
      isOneDeep: false,
      isUnshallow: false,
    })
    const changed = encodeWith(request, { wants: [B], haves: [C] }).toString()
    assert.ok(changed.endsWith(`want ${A}\n0032want ${B}\n0032have ${C}\n0009done\n0000`), changed)
  })

  it('may have a capability before the command, but no command among the arguments', async () => {
    assert.equal(
      commandOf(await packetsOf('object-format=sha1', 'command=fetch', '0001', `want ${A}`, '0000')),
      'fetch',
    )
    assert.equal(commandOf(await packetsOf('object-format=sha1', '0001', 'command=fetch', '0000')), '')
  })

  it('get haves before the flush when git is not done', async () => {
    const request = await packetsOf('command=fetch', '0001', `want ${A}`, `have ${B}`, '0000')
    assert.ok(
      encodeWith(request, { haves: [C] })
        .toString()
        .endsWith(`have ${B}\n0032have ${C}\n0000`),
    )
  })

  for (const line of [
    'deepen 1',
    'deepen-since 1',
    'deepen-not x',
    'deepen-relative',
    'filter blob:none',
    `shallow ${A}`,
    'wait-for-done',
  ]) {
    it(`with '${line}' are none of the swarm's business`, async () => {
      assert.equal(parseFetchRequest(await packetsOf('command=fetch', '0001', line, '0000')).isPlain, false)
    })
  }
})

describe('acknowledgments', () => {
  const filtered = async (...lines: readonly string[]) => {
    const filter = acknowledgmentFilter(new Set([A]))
    const bytes = (await packetsOf(...lines)).flatMap((packet) => [...filter(packet)])
    const reader = readerOf(Buffer.concat(bytes))
    const out: string[] = []
    for (let packet = await readPacket(reader); packet !== null; packet = await readPacket(reader)) {
      out.push(packet.kind === 'data' ? packet.payload.toString().trimEnd() : packet.raw.toString())
    }
    return out
  }

  it('lose those of added haves only', async () => {
    const lines = ['acknowledgments', `ACK ${A}`, `ACK ${B}`, '0000']
    assert.deepEqual(await filtered(...lines), ['acknowledgments', `ACK ${B}`, '0000'])
  })

  it('say NAK when nothing is left', async () => {
    assert.deepEqual(await filtered('acknowledgments', `ACK ${A}`, '0000'), ['acknowledgments', 'NAK', '0000'])
  })

  it('keep ready, after a NAK when nothing else is left, and leave the pack alone', async () => {
    const lines = ['acknowledgments', `ACK ${A}`, 'ready', '0001', 'packfile', `ACK ${A}`, '0000']
    const kept = ['acknowledgments', 'NAK', 'ready', '0001', 'packfile', `ACK ${A}`, '0000']
    assert.deepEqual(await filtered(...lines), kept)
  })

  it('pass a NAK of the origin and answers without the section unchanged', async () => {
    for (const lines of [
      ['acknowledgments', 'NAK', '0000'],
      ['packfile', `ACK ${A}`, '0000'],
    ]) {
      assert.deepEqual(await filtered(...lines), lines)
    }
  })
})

describe('a round that asks which commits the origin has', () => {
  const answered = (lines: readonly string[], last: 'flush' | 'end') => {
    const bytes = lines.map((line) => (/^000[0-2]$/.test(line) ? Buffer.from(line) : encodePacket(`${line}\n`)))
    return readKnownAnswer(readerOf(Buffer.concat(bytes), [7]), last)
  }

  it('is asked only where the origin offers to send no pack before done', () => {
    assert.equal(offersRounds('fetch=shallow wait-for-done filter'), true)
    for (const line of ['fetch=shallow filter', 'fetch', 'ls-refs=wait-for-done'])
      assert.equal(offersRounds(line), false, line)
  })

  it('names one want and all commits, and the object format where it is not sha1', async () => {
    const lines = ['command=fetch', '0001', 'wait-for-done', `want ${A}`, `have ${B}`, `have ${C}`, '0000']
    const raw = (packets: readonly Packet[]): Buffer => Buffer.concat(packets.map((packet) => packet.raw))
    assert.deepEqual(encodeKnownRequest(A, [B, C]), raw(await packetsOf(...lines)))
    const long = 'd'.repeat(64)
    const longLines = ['command=fetch', 'object-format=sha256', '0001', 'wait-for-done', `want ${long}`, '0000']
    assert.deepEqual(encodeKnownRequest(long, []), raw(await packetsOf(...longLines)))
  })

  it('gives those that are acknowledged, over both kinds of connection', async () => {
    assert.deepEqual([...(await answered(['acknowledgments', `ACK ${A}`, `ACK ${B}`, '0000'], 'flush'))], [A, B])
    assert.deepEqual([...(await answered(['acknowledgments', `ACK ${A}`, '0000', '0002'], 'end'))], [A])
    assert.deepEqual([...(await answered(['acknowledgments', 'NAK', '0000'], 'flush'))], [])
  })

  it('refuses anything else, and an end before the end', async () => {
    for (const lines of [
      ['0000'],
      ['ERR no', '0000'],
      ['acknowledgments', 'ready', '0000'],
      ['acknowledgments', 'NAK'],
    ])
      await assert.rejects(answered(lines, 'flush'), { code: 'origin-protocol' }, lines.join(' '))
  })
})

describe('policy', () => {
  const allowed = (text: string, env: Record<string, string>, scheme: 'file' | 'https') => {
    try {
      requireAllowed(scheme, parseGitConfig(text), env)
      return true
    } catch {
      return false
    }
  }

  it('is that of git', () => {
    assert.equal(allowed('', {}, 'file'), true)
    assert.equal(allowed('', { GIT_PROTOCOL_FROM_USER: '0' }, 'file'), false)
    assert.equal(allowed('', { GIT_PROTOCOL_FROM_USER: '0' }, 'https'), true)
    assert.equal(allowed('protocol.file.allow\nalways\0', { GIT_PROTOCOL_FROM_USER: '0' }, 'file'), true)
    assert.equal(allowed('protocol.allow\nnever\0', {}, 'https'), false)
    assert.equal(allowed('protocol.allow\nnever\0protocol.https.allow\nuser\0', {}, 'https'), true)
    assert.equal(allowed('', { GIT_ALLOW_PROTOCOL: 'ssh:gittorrent' }, 'https'), false)
  })

  it('an origin is never entered twice on one line of processes', () => {
    const inner = enterOrigin({}, 'https://u:p@example.com/a')
    assert.doesNotThrow(() => enterOrigin(inner, 'https://example.com/b'))
    assert.throws(() => enterOrigin(inner, 'https://u:q@example.com/a'), { code: 'recursion' })
    assert.ok(!JSON.stringify(inner).includes('u:p'))
  })

  it('a git:// server that refuses and resets the connection has ended it, with what it said', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => {
        socket.write(encodePacket('ERR no such repository'))
        // Not before that was read: a reset would take it away.
        socket.once('data', () => socket.resetAndDestroy())
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const origin = parseOrigin(`git://127.0.0.1:${Object(server.address()).port}/x.git`)
    const trace = Object.assign(() => {}, { enabled: false })
    const around = { env: {}, trace, signal: new AbortController().signal, family: 0, say: () => {} } as const
    const stream = await openGitSocket(origin, 'git-upload-pack', 2, new Map(), around)
    const said = await readPacket(stream.reader)
    assert.equal(said?.raw.toString(), '001aERR no such repository')
    await stream.writer.write('0000')
    assert.equal(await stream.reader.next(), null)
    await stream.close()
    server.close()
  })

  it('core.gitProxy applies to the domain that it names, none switches it off', () => {
    const config = parseGitConfig('core.gitproxy\nnone for inside.example\0core.gitproxy\nproxy-command\0')
    assert.equal(proxyFor('host.inside.example', config, undefined), null)
    assert.equal(proxyFor('elsewhere.example', config, undefined), 'proxy-command')
    assert.equal(proxyFor('elsewhere.example', config, 'other'), 'other')
  })
})

describe('the closing line', () => {
  it('gives share, total and peers, rounded down', () => {
    assert.equal(shareLine(110 * 1024 * 1024, 3 * 1024 * 1024, 3), '97.3 % of 113.00 MiB from 3 peers')
    assert.equal(shareLine(10, 0, 1), '100.0 % of 10 bytes from 1 peer')
    assert.equal(shareLine(0, 5, 0), null)
  })
})
