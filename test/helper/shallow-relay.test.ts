/**
 * Goal: which requests a snapshot or links can serve is told apart, and the shallow-info of an answer says to git exactly what
 * git has to know, with sideband-all and without. A snapshot that cannot be kept is an error with a reason.
 * Method: requests and answers made by hand, after gitprotocol-v2.
 */

import assert from 'node:assert/strict'
import { PassThrough, Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { ByteReader } from '../../helper/remote/byte-reader.ts'
import { ByteWriter } from '../../helper/remote/byte-writer.ts'
import { encodeWith, parseFetchRequest } from '../../helper/remote/fetch-request.ts'
import { encodePacket, type Packet, readPacket, textOf } from '../../helper/remote/pkt-line.ts'
import { relayProtocolV2 } from '../../helper/remote/relay.ts'
import type { Session } from '../../helper/remote/session.ts'
import { type ShallowChanges, ShallowInfoFilter } from '../../helper/remote/shallow-info.ts'
import { banded, type Change, inBands } from '../../helper/remote/sideband-all.ts'
import { openTrace } from '../../helper/trace.ts'

const [A, B, C] = ['a', 'b', 'c'].map((digit) => digit.repeat(40))

async function packetsOf(bytes: Buffer): Promise<Packet[]> {
  const reader = new ByteReader(Readable.from([bytes], { objectMode: false }))
  const packets: Packet[] = []
  for (let packet = await readPacket(reader); packet !== null; packet = await readPacket(reader)) packets.push(packet)
  return packets
}

function encoded(lines: readonly string[]): Buffer[] {
  return lines.map((line) => (/^000[0-2]$/.test(line) ? Buffer.from(line) : encodePacket(`${line}\n`)))
}

async function linesOf(bytes: Buffer): Promise<string[]> {
  return (await packetsOf(bytes)).map((packet) => (packet.kind === 'data' ? textOf(packet) : packet.raw.toString()))
}

describe('fetch requests', () => {
  const request = async (...lines: readonly string[]) =>
    parseFetchRequest(await packetsOf(Buffer.concat(encoded(['command=fetch', '0001', ...lines, '0000']))))

  for (const [lines, kind] of [
    [[`want ${A}`, 'deepen 1', 'done'], 'isShallowClone'],
    [[`want ${A}`, 'deepen 20', 'done'], 'isShallowClone'],
    [[`want ${A}`, 'deepen-since 1000', 'done'], 'isShallowClone'],
    [[`want ${A}`, 'deepen-not refs/tags/v1', 'done'], 'isShallowClone'],
    [[`want ${A}`, 'deepen 2147483647', `shallow ${A}`, `have ${A}`], 'isUnshallow'],
    [[`want ${A}`, 'done'], 'isPlain'],
    [[`want ${A}`, `have ${B}`], 'isPlain'],
    [[`want ${A}`, 'deepen 1', `have ${B}`], null],
    [[`want ${A}`, 'deepen 1', `shallow ${B}`, 'done'], null],
    [[`want ${A}`, 'deepen 5', 'deepen-relative', `shallow ${B}`, `have ${B}`], null],
    [[`want ${A}`, 'deepen 1', 'filter blob:none', 'done'], null],
    [[`want ${A}`, 'deepen 2147483647', `shallow ${A}`, 'filter blob:none'], null],
    [[`want ${A}`, `shallow ${B}`, `have ${B}`], null],
  ] as const) {
    it(`${lines.map((line) => line.replace(/ [abc]{40}/, '')).join(', ')}: ${kind ?? "the origin's alone"}`, async () => {
      const { isPlain, isShallowClone, isUnshallow } = await request(...lines)
      const kinds = Object.entries({ isPlain, isShallowClone, isUnshallow }).filter(([, is]) => is)
      assert.deepEqual(
        kinds.map(([name]) => name),
        kind === null ? [] : [kind],
      )
    })
  }

  it('lose boundaries that are none any more, and nothing else', async () => {
    const lines = ['command=fetch', '0001', `want ${A}`, `shallow ${A}`, `shallow ${B}`, `have ${A}`, '0000']
    const written = encodeWith(await packetsOf(Buffer.concat(encoded(lines))), {
      haves: [C ?? ''],
      unshallows: new Set([B ?? '']),
    })
    assert.deepEqual(await linesOf(written), [
      'command=fetch',
      '0001',
      `want ${A}`,
      `shallow ${A}`,
      `have ${A}`,
      `have ${C}`,
      '0000',
    ])
  })
})

describe('shallow-info', () => {
  const NOTHING: ShallowChanges = { snapshot: null, mayBeBoundary: () => true, unshallows: new Set() }

  /** What git gets of an answer, and whether the snapshot turned out to be used. */
  async function passed(changes: Partial<ShallowChanges>, lines: readonly string[], isBanded: boolean) {
    const filter = new ShallowInfoFilter({ ...NOTHING, ...changes })
    const change: Change = (packet) => filter.pass(packet)
    const sent = encoded(lines).map((bytes) => (isBanded ? banded(bytes) : bytes))
    const got = (await packetsOf(Buffer.concat(sent))).flatMap(isBanded ? inBands(change) : change)
    const said = await linesOf(Buffer.concat(got))
    const isWrapped = said.every((line) => /^000[0-2]$/.test(line) || line.startsWith('\u0001') === isBanded)
    assert.ok(isWrapped, said.join('|'))
    return { said: said.map((line) => line.replace('\u0001', '')), isUsed: filter.isSnapshotUsed }
  }

  for (const isBanded of [false, true]) {
    const how = isBanded ? 'in bands' : 'as it is'
    it(`passes unchanged where nothing was told in git's place (${how})`, async () => {
      const answer = ['acknowledgments', 'ready', '0001', 'shallow-info', `shallow ${A}`, '0001', 'packfile']
      assert.deepEqual(await passed({}, answer, isBanded), { said: answer, isUsed: false })
    })

    it(`says a boundary that the origin took for known, and only then (${how})`, async () => {
      const answer = ['shallow-info', `shallow ${B}`, '0001', 'packfile']
      const snapshot = A ?? ''
      const asBoundary = await passed({ snapshot, mayBeBoundary: (count) => count < 2 }, answer, isBanded)
      assert.deepEqual(asBoundary, {
        said: ['shallow-info', `shallow ${B}`, `shallow ${A}`, '0001', 'packfile'],
        isUsed: true,
      })
      const beside = await passed({ snapshot, mayBeBoundary: (count) => count < 1 }, answer, isBanded)
      assert.deepEqual(beside, { said: answer, isUsed: false })
    })

    it(`hides that the snapshot got its history: git never knew it without (${how})`, async () => {
      const answer = ['shallow-info', `unshallow ${A}`, `shallow ${B}`, '0001', 'packfile']
      const { said, isUsed } = await passed({ snapshot: A ?? '' }, answer, isBanded)
      assert.deepEqual(said, ['shallow-info', `shallow ${B}`, '0001', 'packfile'])
      assert.ok(isUsed)
    })

    it(`names boundaries that are none any more, also where the origin sends no such section (${how})`, async () => {
      const unshallows = new Set([B ?? ''])
      const silent = await passed({ unshallows }, ['packfile'], isBanded)
      assert.deepEqual(silent.said, ['shallow-info', `unshallow ${B}`, '0001', 'packfile'])
      const { said } = await passed({ unshallows }, ['shallow-info', `unshallow ${A}`, '0001', 'packfile'], isBanded)
      assert.deepEqual(said, ['shallow-info', `unshallow ${A}`, `unshallow ${B}`, '0001', 'packfile'])
    })
  }
})

it('a snapshot that cannot be kept ends the conversation with the reason, also when that is known before the answer is whole', async () => {
  const [said, heard, asked, got] = [new PassThrough(), new PassThrough(), new PassThrough(), new PassThrough()]
  const close = async (): Promise<number> => 0
  const origin = { reader: new ByteReader(said), writer: new ByteWriter(heard), close, abandon: () => {} }
  const supply = {
    ...{ isOpen: false, snapshot: A, haves: [], memory: { refs: new Map(), tags: [], mirrorOids: new Map() } },
    bringOnce: async () => {},
    keepSnapshot: () => Promise.reject(new Error('no space left')),
    close: async () => {},
  }
  const ends = { clientReader: new ByteReader(asked), clientWriter: new ByteWriter(got) }
  const session = { ...ends, supply, settings: { mirrors: false }, trace: openTrace({}), gitDir: null, env: {} }
  const reopen = () => assert.fail('opened anew')
  asked.end(Buffer.concat(encoded(['command=fetch', '0001', `want ${A}`, 'deepen 1', 'done', '0000'])))
  said.write(Buffer.concat(encoded(['version 2', '0000', 'shallow-info', `shallow ${A}`, '0001', 'packfile'])))
  const relayed = relayProtocolV2(session as unknown as Session, origin, { isStateless: false, first: null, reopen })
  const passed = new ByteReader(got)
  for (let packet = await readPacket(passed); packet !== null && textOf(packet) !== 'packfile'; )
    packet = await readPacket(passed)
  // A rejection that nobody handles is noticed before the next turn, and fails this file.
  await new Promise((resolve) => setImmediate(resolve))
  said.end(Buffer.from('0000'))
  await assert.rejects(relayed, { message: 'no space left' })
})
