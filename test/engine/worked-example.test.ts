/**
 * Goal: the worked example of the document is what the engine makes, byte by byte.
 * Method: everything is taken from the text of engine/FORMAT.md: the history, the tables, the bytes; names, keys and hashes are
 * computed here from its words, the chain is built by the product.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { before, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inflateSync } from 'node:zlib'
import xxhash from 'xxhash-wasm'
import { buildChains, type Chains } from '../../helper/build/chains.ts'
import { resolveTip } from '../../helper/build/history.ts'
import { openRepository } from '../../helper/git/repository.ts'
import { git } from '../support/git.ts'
import { createRepository } from '../support/object-writer.ts'
import { directoryUntilExit } from '../support/temporary-directory.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'
import { readLink } from './format-reader.ts'

const DOCUMENT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'engine', 'FORMAT.md')
const REVISIONS: Readonly<Record<string, string>> = { One: 'HEAD~2', Two: 'HEAD~1', Three: 'HEAD' }
const directory = join(directoryUntilExit(), 'example.git')
let section = ''
/** N0 as the table of constants has it. */
let modulus = 0n
let built: Chains

before(async () => {
  const text = await readFile(DOCUMENT, 'utf8')
  section = text.slice(text.indexOf('\n## Worked example\n'), text.indexOf('\n## Rationale\n'))
  modulus = BigInt(/^\| N0 \| (\d+) \|/m.exec(text)?.[1] ?? 0)
  await createRepository(directory)
  await git(['fast-import', '--quiet'], { directory, input: block('fast-import') })
  const repository = await openRepository(directory)
  built = untilFileEnds(await buildChains(repository, [await resolveTip(repository, 'HEAD')], { threadCount: 1 }))
})

/** The text between the fences of the one block of this kind. */
function block(kind: string): string {
  const [, text] = new RegExp(`^\`\`\`${kind}\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(section) ?? []
  return text ?? assert.fail(`no block ${kind}`)
}

/** The bytes that a block in the document's notation stands for: hex, "text", and remarks after a semicolon. */
function bytesOf(kind: string): Buffer {
  const tokens = block(kind).matchAll(/;.*|"([^"\n]*)"|(\S+)/g)
  const parts = [...tokens].map(([, text, hex]) => {
    if (hex !== undefined) assert.match(hex, /^[0-9a-f]{2}$/)
    return text === undefined ? Buffer.from(hex ?? '', 'hex') : Buffer.from(text)
  })
  return Buffer.concat(parts)
}

/** Cells of the table rows that have `columnCount` columns and an oid or hash in one of them. */
function rowsOf(columnCount: number): string[][] {
  const rows = section.split('\n').filter((line) => line.startsWith('| ') && line.includes('`'))
  const cells = rows.map((line) =>
    line
      .slice(2, -2)
      .split(' | ')
      .map((cell) => cell.replace(/^`(.*)`$/, '$1')),
  )
  return cells.filter((row) => row.length === columnCount)
}

/** 32-bit FNV-1a. */
function nameKey(type: string, name: string): number {
  let key = 0x811c9dc5
  for (const byte of [['', 'commit', 'tree', 'blob'].indexOf(type), ...Buffer.from(name)]) {
    key = Math.imul(key ^ byte, 0x01000193) >>> 0
  }
  return key
}

it('its objects have the names, keys and shards of the table', async () => {
  const rows = rowsOf(5)
  assert.equal(rows.length, 9)
  for (const [what = '', type = '', oid = '', key = '', shard] of rows) {
    const [, path = '', commit = ''] = /^(?:(root|`story`) of )?(\w+)$/.exec(what) ?? []
    const suffix = { '': '', root: '^{tree}', '`story`': ':story' }[path] ?? ''
    assert.equal(await git(['rev-parse', `${REVISIONS[commit]}${suffix}`], { directory }), oid)
    assert.equal(await git(['cat-file', '-t', oid], { directory }), type)
    const expected = nameKey(type, type === 'blob' ? 'story' : '')
    assert.equal(Number.parseInt(key, 16), expected)
    assert.equal(Number(shard), type === 'commit' ? 0 : (type === 'tree' ? 1 : 33) + (expected % 32))
  }
})

it('its commits have the hashes and levels of the table', async () => {
  const { h64Raw } = await xxhash()
  const oids = new Map(rowsOf(5).map(([what, , oid]) => [what, oid]))
  const rows = rowsOf(3)
  assert.equal(rows.length, 3)
  for (const [commit, hash, level] of rows) {
    const value = h64Raw(Buffer.from(oids.get(commit) ?? '', 'hex'), 0n)
    assert.equal(value.toString(16).padStart(16, '0'), hash)
    const found = [...Array(41).keys()].filter((l) => value % (modulus << BigInt(l)) === 0n).at(-1)
    assert.equal(String(found ?? 'none'), level)
  }
})

it('its links have the ends, lengths, hashes and infohashes of the table', () => {
  const oids = new Map(rowsOf(5).map(([what, , oid]) => [what, oid]))
  const links = built.chains[0]?.links ?? []
  assert.deepEqual(
    rowsOf(6),
    links.map(({ plan, lengthBytes, sha256, infohash }) => [
      String(plan.level),
      ...[plan.tip, plan.base].map((end) => [...oids].find(([, oid]) => oid === end)?.[0] ?? 'root'),
      String(lengthBytes),
      sha256,
      Buffer.from(infohash).toString('hex'),
    ]),
  )
})

it('its payload is that of the link, and a reader made from the document decodes it', async () => {
  const [newest, oldest] = built.chains[0]?.links ?? []
  assert.ok(newest !== undefined && oldest !== undefined)
  const payload = bytesOf('payload')
  assert.equal(payload.toString('hex'), Buffer.from(await newest.read(0, newest.lengthBytes)).toString('hex'))
  const { objects: older } = readLink(Buffer.from(await oldest.read(0, oldest.lengthBytes)), 'sha1', new Map())
  const { objects } = readLink(payload, 'sha1', older)
  assert.deepEqual(
    [...older.keys(), ...objects.keys()].sort(),
    rowsOf(5)
      .map(([, , oid]) => oid)
      .sort(),
  )
})

it('its deltas and its info dict are these', () => {
  const payload = bytesOf('payload')
  const storyOfOne = rowsOf(5).find(([what]) => what === '`story` of One')?.[2] ?? ''
  const stream = payload.indexOf(Buffer.from(storyOfOne, 'hex')) + 20
  assert.equal(inflateSync(payload.subarray(stream)).toString('hex'), bytesOf('delta').toString('hex'))
  const info = Buffer.from(built.chains[0]?.links[0]?.info ?? [])
  assert.equal(bytesOf('info').toString('latin1'), info.toString('latin1'))
  assert.equal(createHash('sha1').update(info).digest('hex'), rowsOf(6)[0]?.[5])
})
