/**
 * Goal: records and documents say what was meant, fit where they must, and are judged as PUBLISHING.md says.
 * Method: fixed vectors, round trips of generated values, and tables of what may and may not hold.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { HelperError } from '../../helper/errors.ts'
import { readSecret } from '../../helper/keys/secret-text.ts'
import { readBlock } from '../../helper/names/bitcoin-block.ts'
import { decodeTxtAnswer, encodeTxtQuery } from '../../helper/names/dns-message.ts'
import { judge, nextSeq } from '../../helper/publish/judge.ts'
import { matchesPattern, mergeRefs } from '../../helper/publish/merge-refs.ts'
import { delegateSalt, publisherTopic, repositoryName, repositorySalt } from '../../helper/publish/names.ts'
import {
  decodeRecord,
  encodeProfile,
  encodeRecord,
  type ProfileRecord,
  type PublisherRecord,
} from '../../helper/publish/record.ts'
import { decodeDocument, encodeDocument, isRefName, type RefsDocument } from '../../helper/publish/refs-document.ts'
import {
  decodeRecordsAnswer,
  decodeRefsQuestion,
  encodeRecordsAnswer,
  encodeRefsQuestion,
} from '../../helper/publish/refs-message.ts'
import { decodeTipRequest, encodeTipRequest } from '../../helper/publish/tip-request.ts'
import { type MutableItem, Refusal, signItem } from '../../net/index.ts'
import { readProjectFile } from '../tidy/project.ts'

const SEED = Buffer.alloc(32, 1)
const KEY = '8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c'
const SIGNATURE =
  'd30b13accb5fc1a0def2d9f447bbef30b20396a3d7d00a866cdfd0cab262f25c26933d1b4b511bb1ac9b14ed12868572ecc2dc3d3a3c8d8238e450e334031206'
const OID = 'a'.repeat(40)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

const DOCUMENT: RefsDocument = {
  publisher: KEY,
  repository: 'project',
  objectFormat: 'sha1',
  head: 'refs/heads/main',
  refs: [
    { name: 'refs/heads/main', oid: OID, seq: 1795000000 },
    { name: 'refs/heads/old', oid: null, seq: 1795000001 },
  ],
}

/** The worked example of PUBLISHING.md. */
const DOCUMENT_TEXT = `gittorrent refs 1
publisher ${KEY}
repository project
object-format sha1
head refs/heads/main

${OID} 1795000000 refs/heads/main
${'0'.repeat(40)} 1795000001 refs/heads/old
`

const REPOSITORY: PublisherRecord = {
  type: 'repository',
  name: 'project',
  onBehalfOf: null,
  objectFormat: 'sha1',
  objectsLength: null,
  documentHash: createHash('sha256').update(DOCUMENT_TEXT).digest('hex'),
  documentLength: DOCUMENT_TEXT.length,
  refCount: 1,
  expires: 1797419200,
  delegates: [],
}

test('the worked example of the document holds, byte by byte', () => {
  assert.equal(text(encodeDocument(DOCUMENT)), DOCUMENT_TEXT)
  assert.deepEqual(decodeDocument(Buffer.from(DOCUMENT_TEXT)), DOCUMENT)
  const value = encodeRecord(REPOSITORY)
  const hash = text(Buffer.from(REPOSITORY.type === 'repository' ? REPOSITORY.documentHash : '', 'hex'))
  assert.equal(
    text(value),
    `d1:ci1e1:d32:${hash}1:f4:sha11:li${DOCUMENT_TEXT.length}e1:n7:project1:t10:repository1:vi1e1:xi1797419200ee`,
  )
  const item = signItem(SEED, { salt: repositorySalt('project'), seq: 1795000001, value })
  assert.equal(hex(item.key), KEY)
  assert.equal(hex(item.signature), SIGNATURE)
})

test('salts, topics and names are what PUBLISHING.md says', () => {
  assert.equal(text(repositorySalt('a/b')), 'gt1:r:a/b')
  const id = '0123456789abcdef0123456789abcdef01234567'
  const sha1 = (input: string): string => createHash('sha1').update(input).digest('hex')
  assert.equal(hex(delegateSalt(id, 'a')), hex(Buffer.from('gt1:d:')) + sha1(`${id}/a`))
  assert.equal(hex(publisherTopic(id, 'a')), sha1(`gittorrent publisher topic 1\n${id}/a`))
  assert.equal(repositoryName('project.git'), 'project')
  assert.equal(repositorySalt(repositoryName('x'.repeat(58))).length, 64)
  for (const bad of ['', '.', '../x', 'a//b', 'x'.repeat(59), 'a b', 'a/', '-x', 'a.lock', 'a.git/b', 'ü'])
    assert.throws(() => repositoryName(bad), { code: 'url-malformed' }, bad)
})

test('records survive their encoding', () => {
  const text = fc.string({ maxLength: 30 })
  const hexOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map(hex)
  const time = fc.nat(2 ** 31 - 1)
  const delegate = fc.record({ key: hexOf(32), expires: time, patterns: fc.array(text, { maxLength: 3 }) })
  const record: fc.Arbitrary<PublisherRecord> = fc.oneof(
    fc.record({
      type: fc.constant('repository' as const),
      name: text,
      onBehalfOf: fc.option(hexOf(20)),
      objectFormat: fc.constantFrom('sha1' as const, 'sha256' as const),
      objectsLength: fc.option(fc.nat(2 ** 40)),
      documentHash: hexOf(32),
      documentLength: fc.nat(1e6),
      refCount: fc.nat(1e6),
      expires: time,
      delegates: fc.array(delegate, { maxLength: 2 }),
    }),
    fc.record({
      type: fc.constant('succession' as const),
      from: hexOf(32),
      reason: fc.constantFrom('rotated' as const, 'revoked' as const),
      expires: time,
    }),
  )
  fc.assert(
    fc.property(record, (value) =>
      assert.deepEqual(decodeRecord(encodeRecord(value)), JSON.parse(JSON.stringify(value))),
    ),
  )
})

test('a profile of any size fits into 995 bytes, and says what it left out', () => {
  const repositories = (count: number): ProfileRecord['repositories'] =>
    Array.from({ length: count }, (_, n) => ({
      name: `repository-${n}`,
      refs: [{ name: 'refs/heads/main', oid: OID }],
    }))
  const base = { type: 'profile', name: 'A U Thor', email: 'a@example.org', expires: 1, next: null } as const
  for (const count of [0, 1, 5, 12, 20, 100, 5000]) {
    const value = encodeProfile({ ...base, repositories: repositories(count), leftOutCount: 0 })
    assert.ok(value.length <= 995, `${value.length}`)
    const back = decodeRecord(value)
    assert.ok(back.type === 'profile')
    assert.equal(back.repositories.length + back.leftOutCount, count)
    assert.equal(back.name, 'A U Thor')
    if (count <= 5) assert.deepEqual(back.repositories, repositories(count))
  }
  const one = text(encodeProfile({ ...base, repositories: repositories(1), leftOutCount: 0 }))
  assert.match(
    one,
    /5:email13:a@example.org4:name8:A U Thor12:repositoriesld4:name12:repository-04:refsld4:name15:refs\/heads\/main4:sha120:/,
  )
})

test('a record that does not fit is refused, and so is anything malformed', () => {
  const delegates = Array.from({ length: 16 }, () => ({ key: KEY, expires: 1, patterns: ['refs/heads/a-long-name/*'] }))
  assert.throws(() => encodeRecord({ ...REPOSITORY, type: 'repository', delegates } as PublisherRecord), {
    code: 'limit',
  })
  const good = encodeRecord(REPOSITORY)
  for (const bad of [
    '',
    'de',
    'i1e',
    'd1:t7:unknown1:vi1e1:xi1ee',
    text(good).replace('sha1', 'sha9'),
    `${text(good)}x`,
  ])
    assert.throws(() => decodeRecord(Buffer.from(bad, 'latin1')), { code: 'record-malformed' }, bad)
})

test('only one way to write a document is taken', () => {
  const changes: [string, string][] = [
    ['refs 1', 'refs 2'],
    ['sha1\n', 'sha1 \n'],
    ['1795000000', '01795000000'],
    ['1795000000', '99999999999999999'],
    [`${OID} `, `${OID}a `],
    ['refs/heads/main\n0', 'refs/heads/zzz\n0'],
    ['refs/heads/main\n0', 'refs/heads/../x\n0'],
    ['refs/heads/old\n', 'refs/heads/old'],
    ['refs/heads/old\n', 'refs/remotes/x/y\n'],
    ['head refs/heads/main', 'head HEAD'],
  ]
  for (const [from, to] of changes) {
    const changed = DOCUMENT_TEXT.replace(from, to)
    assert.notEqual(changed, DOCUMENT_TEXT)
    assert.throws(() => decodeDocument(Buffer.from(changed)), { code: 'record-malformed' }, `${from} → ${to}`)
  }
  const empty = { ...DOCUMENT, head: null, refs: [] }
  assert.deepEqual(decodeDocument(encodeDocument(empty)), empty)
})

test('ref names that git or a shell could misread are none', () => {
  for (const good of ['refs/heads/main', 'refs/tags/v1.0', 'refs/heads/a/b-c_d', 'refs/heads/ü'])
    assert.equal(isRefName(good), true, good)
  for (const bad of [
    'HEAD',
    'refs/heads/',
    'refs/notes/x',
    'refs/heads/-x',
    'refs/heads/a..b',
    'refs/heads/a b',
    'refs/heads/x.lock',
    'refs/heads/a\nb',
    'refs/heads/@{1}',
    'refs/heads/.x',
  ])
    assert.equal(isRefName(bad), false, bad)
})

function item(seq: number, value = `value ${seq}`): MutableItem {
  return signItem(SEED, { salt: Buffer.from('s'), seq, value: Buffer.from(value) })
}

test('the newest item holds, never one behind what was seen, and two for one seq are proof', () => {
  const seqOf = (found: MutableItem[], seen: MutableItem | null) => {
    const { item: held, rolledBackTo, isFromMemory, healedConflict } = judge('x', found, seen)
    return { seq: held?.seq ?? null, rolledBackTo, isFromMemory, healed: healedConflict?.[0].seq ?? null }
  }
  const calm = { rolledBackTo: null, isFromMemory: false, healed: null }
  assert.deepEqual(seqOf([], null), { ...calm, seq: null })
  assert.deepEqual(seqOf([item(3), item(5), item(4)], item(2)), { ...calm, seq: 5 })
  assert.deepEqual(seqOf([item(3), item(4)], item(6)), { ...calm, seq: 6, rolledBackTo: 4 })
  assert.deepEqual(seqOf([], item(6)), { ...calm, seq: 6, isFromMemory: true })
  assert.deepEqual(seqOf([item(3, 'a'), item(3, 'b'), item(4)], null), { ...calm, seq: 4, healed: 3 })
  assert.throws(() => judge('x', [item(4, 'a'), item(4, 'b')], null), { code: 'record-conflict', data: { seq: 4 } })
  assert.throws(() => judge('x', [item(4, 'a')], item(4, 'b')), { code: 'record-conflict' })
  assert.deepEqual(seqOf([item(4, 'a'), item(4, 'a')], item(4, 'a')), { ...calm, seq: 4 })
})

test('seq follows the clock, and goes on above everything known when the clock is behind', () => {
  assert.equal(nextSeq(1000, []), 1000)
  assert.equal(nextSeq(1000, [item(5)]), 1000)
  assert.equal(nextSeq(1000, [item(1000)]), 1001)
  assert.equal(nextSeq(1000, [item(5), item(7777)]), 7778)
})

test('per ref the newest change wins among those who may write it', () => {
  const doc = (publisher: string, refs: RefsDocument['refs']): RefsDocument => ({ ...DOCUMENT, publisher, refs })
  const ref = (name: string, oid: string | null, seq: number) => ({ name: `refs/heads/${name}`, oid, seq })
  const delegate = { key: 'd', expires: 100, patterns: ['refs/heads/dev/*', 'refs/heads/next'] }
  const owner = doc('o', [ref('dev/a', '1', 10), ref('dev/b', '1', 30), ref('main', '1', 10), ref('next', '1', 10)])
  const theirs = doc('d', [
    ref('dev/a', '2', 20),
    ref('dev/b', '2', 20),
    ref('dev/new', '2', 20),
    ref('main', '2', 20),
    ref('next', null, 20),
    ref('nextx', '2', 20),
  ])
  const merged = (now: number, seq = 25) =>
    mergeRefs(
      [
        { document: owner, seq: 40, delegate: null },
        { document: theirs, seq, delegate },
      ],
      now,
    ).map(({ name, oid, by }) => `${name.slice(11)} ${oid} ${by}`)
  assert.deepEqual(merged(50), ['dev/a 2 d', 'dev/b 1 o', 'dev/new 2 d', 'main 1 o'])
  assert.deepEqual(merged(100), ['dev/a 1 o', 'dev/b 1 o', 'main 1 o', 'next 1 o'], 'the term has ended')
  // A change cannot claim to be newer than the record that carries it.
  assert.deepEqual(merged(50, 5), ['dev/a 1 o', 'dev/b 1 o', 'dev/new 2 d', 'main 1 o', 'next 1 o'])
  assert.equal(matchesPattern('refs/heads/dev/*', 'refs/heads/develop'), false)
})

test('a question to the tunnel is taken in one form only', () => {
  const request = { objectFormat: 'sha1', wants: [OID], haves: ['b'.repeat(40)] } as const
  const bytes = encodeTipRequest(request)
  assert.deepEqual(decodeTipRequest(bytes), request)
  const refused = (changed: Uint8Array): void => {
    assert.throws(
      () => decodeTipRequest(changed),
      (error) => error instanceof Refusal && error.reason === 'malformed',
    )
  }
  const packet = (line: string): string => (line.length + 4).toString(16).padStart(4, '0') + line
  const whole = text(bytes)
  for (const line of [
    'filter blob:none\n',
    'deepen 1\n',
    'want-ref refs/heads/x\n',
    'shallow x\n',
    'sideband-all\n',
    'wait-for-done\n',
  ])
    refused(Buffer.from(whole.replace('0009done\n', `${packet(line)}0009done\n`)))
  refused(Buffer.from(whole.replace('command=fetch', 'command=ls-re')))
  refused(Buffer.from(`${whole}${whole}`))
  refused(Buffer.from(whole.replace(OID, `${OID.slice(1)}!`)))
  refused(encodeTipRequest({ ...request, wants: [] }))
  refused(encodeTipRequest({ ...request, wants: Array.from({ length: 1501 }, () => OID) }))
  refused(Buffer.alloc(0))
})

test('any bytes at all are read or refused with a typed error, never more', () => {
  const [record, document, request] = [
    encodeRecord(REPOSITORY),
    Buffer.from(DOCUMENT_TEXT),
    encodeTipRequest({ objectFormat: 'sha1', wants: [OID], haves: [] }),
  ]
  const seeds = [
    record,
    document,
    request,
    encodeRefsQuestion({ hash: 'a'.repeat(64), offset: 1 }),
    encodeRecordsAnswer([item(1)]),
    encodeTxtQuery(0, 'a.b'),
  ]
  const mutated = fc
    .tuple(fc.constantFrom(...seeds), fc.nat(), fc.nat(255), fc.nat())
    .map(([bytes, at, byte, length]) => {
      const copy = Buffer.from(bytes).subarray(0, 1 + (length % (2 * bytes.length)))
      copy[at % copy.length] = byte
      return copy
    })
  const readers: ((bytes: Uint8Array) => unknown)[] = [
    decodeRecord,
    decodeDocument,
    decodeTipRequest,
    decodeRefsQuestion,
    decodeRecordsAnswer,
    readBlock,
    (bytes) => decodeTxtAnswer(bytes, 0),
    (bytes) => readSecret(Buffer.from(bytes).toString('latin1')),
  ]
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      for (const read of readers) {
        try {
          read(bytes)
        } catch (error) {
          if (!(error instanceof HelperError || error instanceof Refusal)) throw error
        }
      }
    }),
    { numRuns: 3_000 },
  )
})

test('questions are written as PUBLISHING.md shows them', () => {
  const shown = readProjectFile('helper/PUBLISHING.md')
  const wants = { objectFormat: 'sha1', wants: [OID], haves: ['b'.repeat(40)] } as const
  const [tip = ''] = /^0012command=.*$/m.exec(shown) ?? []
  assert.equal(text(encodeTipRequest(wants)), tip.replaceAll('\\n', '\n'))
  assert.deepEqual(decodeTipRequest(Buffer.from(tip.replaceAll('\\n', '\n'))), wants)
  const [, records = '', page = ''] = /^`(d.*e)` asks for records, `(d.*e)` for the second page/m.exec(shown) ?? []
  const hash = Buffer.alloc(32, 'H')
  assert.equal(text(encodeRefsQuestion(null)), records)
  assert.equal(
    text(encodeRefsQuestion({ hash: hash.toString('hex'), offset: 2 ** 20 })),
    page.replace('32:H', `32:${hash.toString()}`),
  )
})
