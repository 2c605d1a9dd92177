/**
 * What the kernels work on: versions of generated source text, a table with moved records, trees, oids, a chain answer.
 * The same on every machine, because all of it comes from a seed.
 */

import { applyEdit, type Lines, randomEdit, sourceLines } from '../generated-text.ts'
import { randomNumbers } from '../random-numbers.ts'

const next = randomNumbers(8)
const LINE_COUNT = 3000
const VERSION_COUNT = 12
const EDITS_PER_VERSION = 4
const TREE_ENTRY_COUNT = 2000
const OID_LENGTH = 20

function textOf(lines: Lines): Uint8Array {
  return new Uint8Array(Buffer.from(`${lines.join('\n')}\n`))
}

function makeVersions(): Uint8Array[] {
  let lines = sourceLines(next, LINE_COUNT)
  const versions = [textOf(lines)]
  while (versions.length < VERSION_COUNT) {
    for (let edit = 0; edit < EDITS_PER_VERSION; edit++) lines = applyEdit(lines, randomEdit(next))
    versions.push(textOf(lines))
  }
  return versions
}

/** Versions of one file of about 100 kB; each differs from the one before in a few places. */
export const versions: readonly Uint8Array[] = makeVersions()

/** The first version, and the same with its thousandths in another order: matches everywhere, none at the edges. */
export const shuffled: readonly [Uint8Array, Uint8Array] = makeShuffled()

function makeShuffled(): [Uint8Array, Uint8Array] {
  const [text = new Uint8Array(0)] = versions
  const step = Math.floor(text.length / 200)
  const parts = Array.from({ length: 200 }, (_, index) => text.subarray(index * step, (index + 1) * step))
  for (let at = parts.length - 1; at > 0; at--) {
    const other = next(at + 1)
    ;[parts[at], parts[other]] = [parts[other] ?? text, parts[at] ?? text]
  }
  return [text, new Uint8Array(Buffer.concat(parts))]
}

/** Noise that nothing matches. */
export const noise: Uint8Array = Uint8Array.from({ length: 100_000 }, () => next(256))

/** Raw oids, one after the other. */
export const oids: Uint8Array = Uint8Array.from({ length: 20_000 * OID_LENGTH }, () => next(256))

/** Two trees of 2,000 entries that differ in ten. */
export const trees: readonly [Uint8Array, Uint8Array] = [treeOf(-1), treeOf(200)]

function treeOf(step: number): Uint8Array {
  const entries: Uint8Array[] = []
  for (let index = 0; index < TREE_ENTRY_COUNT; index++) {
    entries.push(Buffer.from(`100644 file-${String(index).padStart(5, '0')}.c\0`))
    const oid = oids.subarray(index * OID_LENGTH, (index + 1) * OID_LENGTH)
    entries.push(step > 0 && index % step === 0 ? oid.map((byte) => byte ^ 1) : oid)
  }
  return new Uint8Array(Buffer.concat(entries))
}
