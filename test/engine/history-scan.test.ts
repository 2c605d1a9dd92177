/**
 * Goal: a pack passes if and only if it is what its tip reaches and nothing else, at a bounded price, whatever a stranger made.
 * Method: segments of random histories as they are and with one object more or less, and packs made by hand, all of which
 * `git index-pack` takes; what git reaches decides. A ring that is too small for everything shows that nothing depends on it.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { HistoryScan, type ScanLimits } from '../../engine/history-scan.ts'
import { REBUILT_AGAIN_LENGTH_MAX } from '../../engine/limits.ts'
import { BLOB, COMMIT, TAG, TREE } from '../../engine/object.ts'
import { hashLengthOf, parseOid } from '../../engine/oid.ts'
import { PACK_HEADER_LENGTH, PACK_OFS_DELTA, PACK_REF_DELTA } from '../../engine/pack-entry.ts'
import { readPackIndex } from '../../engine/pack-index.ts'
import { readPackBody, sourceOfBytes } from '../../engine/pack-reader.ts'
import { git } from '../support/git.ts'
import { type ObjectFormat, type ObjectType, oidOf } from '../support/object-writer.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'
import { buildLine, TIGHT } from './harness.ts'
import { holdsForHistories } from './history-laws.ts'
import { bodyOf, type EntryToWrite, nativeInflate, packOf } from './pack-ports.ts'

const SIGNATURE = 'A <a@example.org> 1112911993 +0200'

/** Holds the trees of a few commits. */
const SMALL_RING: ScanLimits = { ringLength: 2 ** 15, rebuiltAgainLengthMax: REBUILT_AGAIN_LENGTH_MAX }

interface Pack {
  readonly bodies: readonly Uint8Array[]
  readonly objectCount: number
  readonly tip: string
  readonly objectFormat?: ObjectFormat
  readonly limits?: ScanLimits
}

let packCount = 0

/** What is said of a pack, which git has to take. */
async function verdictOf(scratch: string, pack: Pack): Promise<boolean> {
  const { bodies, objectCount, tip, objectFormat = 'sha1', limits } = pack
  const path = join(scratch, `${packCount++}.pack`)
  const bytes = packOf(Buffer.concat(bodies), objectCount, objectFormat)
  await writeFile(path, bytes)
  await git(['index-pack', `--object-format=${objectFormat}`, path], { directory: scratch })
  const hashLength = hashLengthOf(objectFormat)
  const index = readPackIndex(await readFile(path.replace(/pack$/, 'idx')), hashLength)
  const scan = new HistoryScan({
    length: bytes.length - hashLength,
    read: (offset, into) => into.set(bytes.subarray(offset, offset + into.length)),
    hashLength,
    objectCount,
    hash: (object) => createHash(objectFormat).update(object).digest(),
    ...(limits === undefined ? {} : { limits }),
  })
  let end = PACK_HEADER_LENGTH
  for (const { length } of bodies) {
    end += length
    if (!scan.scan(end - length, end)) return false
  }
  return scan.matches(parseOid(tip, objectFormat), index)
}

it('the segments of a history pass; with one object more, or less, or for another commit, they do not', () =>
  holdsForHistories(
    async ({ directory, objectFormat, tip }, scratch) => {
      const segments = await buildLine(directory, objectFormat, tip, { parameters: TIGHT })
      const bodies = segments.map(({ bytes }) => bytes)
      const objectCount = segments.reduce((sum, segment) => sum + segment.objectCount, 0)
      const whole: Pack = { bodies, objectCount, tip, objectFormat, limits: SMALL_RING }
      assert.equal(await verdictOf(scratch, whole), true)
      const parents = (await git(['rev-list', '--parents', '-1', tip], { directory })).split(' ').slice(1)
      for (const parent of parents) assert.equal(await verdictOf(scratch, { ...whole, tip: parent }), false, 'a commit')

      const tree = await git(['rev-parse', `${tip}^{tree}`], { directory })
      const commit = `tree ${tree}\nparent ${tip}\nauthor ${SIGNATURE}\ncommitter ${SIGNATURE}\n\nmore\n`
      const more: Record<string, EntryToWrite> = {
        blob: { type: BLOB, data: Buffer.from('nobody names this\n') },
        tree: { type: TREE, data: Buffer.concat([Buffer.from('40000 up\0'), Buffer.from(tree, 'hex')]) },
        commit: { type: COMMIT, data: Buffer.from(commit) },
        tag: { type: TAG, data: Buffer.from(`object ${tip}\ntype commit\ntag t\ntagger ${SIGNATURE}\n\nt\n`) },
        'the tip again': { type: COMMIT, data: Buffer.from(await git(['cat-file', 'commit', tip], { directory })) },
      }
      for (const [what, entry] of Object.entries(more)) {
        // In front of the first segment, and behind the last one.
        for (const bodiesWith of [
          [bodyOf([entry]), ...bodies],
          [...bodies.slice(0, -1), Buffer.concat([...bodies.slice(-1), bodyOf([entry])])],
        ]) {
          const verdict = verdictOf(scratch, { ...whole, bodies: bodiesWith, objectCount: objectCount + 1 })
          assert.equal(await verdict, false, `${what} more`)
        }
      }

      const last = bodies.at(-1) ?? new Uint8Array(0)
      const reading = { source: sourceOfBytes(last), hashLength: hashLengthOf(objectFormat), inflate: nativeInflate }
      const offsets = [...readPackBody(reading, null)].map(({ offset }) => offset)
      const less = [...bodies.slice(0, -1), last.subarray(0, offsets.at(-1))]
      assert.equal(await verdictOf(scratch, { ...whole, bodies: less, objectCount: objectCount - 1 }), false, 'less')
    },
    { numRuns: 5 },
  ))

interface Made {
  readonly type: ObjectType
  readonly entry: EntryToWrite
  readonly oid: string
}

function made(type: ObjectType, data: Uint8Array): Made {
  const numbers = { commit: COMMIT, tree: TREE, blob: BLOB, tag: TAG } as const
  return { type, entry: { type: numbers[type], data }, oid: oidOf('sha1', type, data) }
}

/** Entries of a tree: mode, name, what they name. */
function treeOf(...entries: readonly (readonly [mode: string, name: string, oid: string])[]): Made {
  const parts = entries.flatMap(([mode, name, oid]) => [Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, 'hex')])
  return made('tree', Buffer.concat(parts))
}

function commitOf(tree: string, ...parents: readonly string[]): Made {
  const lines = [`tree ${tree}`, ...parents.map((parent) => `parent ${parent}`)]
  return made('commit', Buffer.from(`${lines.join('\n')}\nauthor ${SIGNATURE}\ncommitter ${SIGNATURE}\n\nm\n`))
}

const blob = made('blob', Buffer.from('content\n'))

/** One segment. */
function segment(tip: Made, ...rest: readonly Made[]): Pack {
  const entries = [tip, ...rest].map(({ entry }) => entry)
  return { bodies: [bodyOf(entries)], objectCount: entries.length, tip: tip.oid }
}

it('what is named as a blob has to be one, and stands where the format has blobs', () =>
  withTemporaryDirectory(async (scratch) => {
    await git(['init', '--quiet', '--bare', scratch])
    const inner = treeOf(['100644', 'b', blob.oid])
    const honest = treeOf(['100644', 'b', blob.oid], ['40000', 'c', inner.oid])
    const lying = treeOf(['100644', 'b', blob.oid], ['100644', 'c', inner.oid])
    const tips = { honest: commitOf(honest.oid), lying: commitOf(lying.oid) }
    assert.equal(await verdictOf(scratch, segment(tips.honest, honest, inner, blob)), true)
    assert.equal(await verdictOf(scratch, segment(tips.honest, honest, blob, inner)), false, 'a tree behind a blob')
    assert.equal(await verdictOf(scratch, segment(tips.lying, lying, inner, blob)), false, 'a tree as a blob')
    assert.equal(await verdictOf(scratch, segment(tips.lying, lying, blob, inner)), false, 'and behind a blob')
    // The same as a delta of a tree that stands where it should.
    const delta = Buffer.concat([
      Buffer.from([inner.entry.data.length, 29, 29]),
      treeOf(['100644', 'd', blob.oid]).entry.data,
    ])
    const hidden = { type: PACK_REF_DELTA, data: delta, deltaBase: Buffer.from(inner.oid, 'hex') } as const
    const other = treeOf(['100644', 'd', blob.oid])
    const root = treeOf(['100644', 'b', blob.oid], ['40000', 'c', inner.oid], ['100644', 'e', other.oid])
    const tip = commitOf(root.oid)
    const plain = [tip, root, inner, blob].map(({ entry }) => entry)
    assert.equal(
      await verdictOf(scratch, { bodies: [bodyOf([...plain, hidden])], objectCount: 5, tip: tip.oid }),
      false,
      'a delta of a tree behind a blob',
    )
  }))

/** Commits whose trees have `entryCount` entries and differ in the first one's name; every `pace`th is a delta of the first. */
function comb(commitCount: number, entryCount: number, pace = 1): { entries: EntryToWrite[]; tip: string } {
  const tree = (first: string): Made =>
    treeOf(
      ['100644', first, blob.oid],
      ...Array.from({ length: entryCount - 1 }, (_, at) => ['100644', `f${at}`, blob.oid] as const),
    )
  const names = Array.from({ length: commitCount }, (_, at) => `a${String(at).padStart(5, '0')}`)
  const trees = names.map(tree)
  const commits: Made[] = []
  for (const { oid } of trees) commits.push(commitOf(oid, ...commits.slice(-1).map((parent) => parent.oid)))
  const { length } = trees[0]?.entry.data ?? []
  const deltaTo = (name: string): Buffer => {
    const copied = length - 'a00000'.length - 7
    return Buffer.concat([
      Buffer.from([...varint(length), ...varint(length), 13]),
      Buffer.from(`100644 ${name}`),
      Buffer.from([0xf1, 13, copied & 255, (copied >> 8) & 255, copied >> 16]),
    ])
  }
  const base = Buffer.from(trees[0]?.oid ?? '', 'hex')
  const entries: EntryToWrite[] = [
    ...commits.map(({ entry }) => entry),
    ...trees.map(({ entry }, at) =>
      at === 0 || at % pace > 0
        ? entry
        : ({ type: PACK_REF_DELTA, data: deltaTo(names[at] ?? ''), deltaBase: base } as const),
    ),
    blob.entry,
  ]
  return { entries, tip: commits.at(-1)?.oid ?? '' }
}

/** The variable-length number of a delta's header: seven bits a byte, the lowest first. */
function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)]
}

it('a base that is long gone is rebuilt, but not for ever', () =>
  withTemporaryDirectory(async (scratch) => {
    await git(['init', '--quiet', '--bare', scratch])
    // The ring holds eight of them.
    const { entries, tip } = comb(61, 100, 20)
    const pack: Pack = { bodies: [bodyOf(entries)], objectCount: entries.length, tip }
    assert.equal(await verdictOf(scratch, pack), true)
    assert.equal(await verdictOf(scratch, { ...pack, limits: SMALL_RING }), true, 'with a small ring')
    const stingy = { ...SMALL_RING, rebuiltAgainLengthMax: 8000 }
    await assert.rejects(() => verdictOf(scratch, { ...pack, limits: stingy }), { code: 'pack-limit' })
  }))

it('an object that is too long is refused before it is inflated, and names that are all alike are not looked at for long', () =>
  withTemporaryDirectory(async (scratch) => {
    await git(['init', '--quiet', '--bare', scratch])
    const { entries, tip } = comb(1, 400)
    const long: Pack = { bodies: [bodyOf(entries)], objectCount: entries.length, tip, limits: SMALL_RING }
    await assert.rejects(() => verdictOf(scratch, long), { code: 'pack-limit' })
    const alike = treeOf(
      ...Array.from(
        { length: 1200 },
        (_, at) => ['100644', `f${at}`, `00000000${String(at).padStart(32, '0')}`] as const,
      ),
    )
    const top = commitOf(alike.oid)
    const blobs = Array.from({ length: 1500 }, (_, at) => made('blob', Buffer.from(`${at}`)))
    await assert.rejects(() => verdictOf(scratch, segment(top, alike, ...blobs)), { code: 'pack-limit' })
  }))

it('a base in another segment is named, one in the same is pointed at: nothing points out of a segment', () =>
  withTemporaryDirectory(async (scratch) => {
    await git(['init', '--quiet', '--bare', scratch])
    const { entries, tip } = comb(2, 5)
    const [older, newer, first, delta, content] = entries
    assert.ok(older && newer && first && delta && content)
    const bodies = [bodyOf([older, first, content]), bodyOf([newer, delta])]
    assert.equal(await verdictOf(scratch, { bodies, objectCount: 5, tip }), true)
    const distance = (bodies[0]?.length ?? 0) - bodyOf([older]).length + bodyOf([newer]).length
    const pointing = { type: PACK_OFS_DELTA, data: delta.data, deltaBase: distance } as const
    const [below] = bodies
    assert.ok(below)
    assert.equal(await verdictOf(scratch, { bodies: [below, bodyOf([newer, pointing])], objectCount: 5, tip }), false)
  }))
