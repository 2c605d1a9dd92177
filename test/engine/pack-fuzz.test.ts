/**
 * Goal: the fuzz targets of the parsers hold on inputs that a fuzzer would try first.
 * Method: each target gets valid inputs cut, flipped and spliced at random from a fixed seed, and plain noise; a crash that
 * a longer campaign finds is added here as a constant.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type NumberSource, randomNumbers } from '../../bench/random-numbers.ts'
import { encodeBundleHeader } from '../../engine/bundle.ts'
import { BLOB } from '../../engine/object.ts'
import { parseOid } from '../../engine/oid.ts'
import { PACK_OFS_DELTA, PACK_REF_DELTA } from '../../engine/pack-entry.ts'
import { bodyOf, packOf } from './pack-ports.ts'

const ROUNDS = 20_000

const DELTA = Uint8Array.of(5, 6, 0x90, 5, 1, 0x21)
const BLOB_ENTRY = { type: BLOB, data: Buffer.from('12345') } as const
const BODY = bodyOf([
  BLOB_ENTRY,
  { type: PACK_OFS_DELTA, data: DELTA, deltaBase: bodyOf([BLOB_ENTRY]).length },
  { type: PACK_REF_DELTA, data: DELTA, deltaBase: new Uint8Array(20) },
])
const TIP = parseOid('a'.repeat(40), 'sha1')

const SEEDS: Readonly<Record<string, readonly Uint8Array[]>> = {
  'pack-reader': [Buffer.concat([Buffer.of(0), packOf(BODY, 3)]), Buffer.concat([Buffer.of(30), BODY])],
  'delta-apply': [Buffer.concat([Buffer.of(5), Buffer.from('12345'), DELTA])],
  bundle: [null, parseOid('b'.repeat(40), 'sha1')].map((base) =>
    encodeBundleHeader({ objectFormat: 'sha1', tip: TIP, base }),
  ),
}

/** One to four cuts, flips, insertions or repeats. */
function mutate(next: NumberSource, seed: Uint8Array): Uint8Array {
  let bytes = Buffer.from(seed)
  for (let count = 1 + next(4); count > 0 && bytes.length > 0; count--) {
    const at = next(bytes.length)
    const choice = next(5)
    if (choice === 0) bytes = bytes.subarray(0, at)
    else if (choice === 1) bytes[at] = next(256)
    else if (choice === 2) bytes[at] = (bytes[at] ?? 0) ^ (1 << next(8))
    else if (choice === 3) bytes = Buffer.concat([bytes.subarray(0, at), Buffer.of(next(256)), bytes.subarray(at)])
    else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(next(at + 1))])
  }
  return bytes
}

async function targetOf(name: string): Promise<(bytes: Uint8Array) => void> {
  const module: unknown = await import(new URL(`../../fuzz/engine/${name}.js`, import.meta.url).href)
  assert(typeof module === 'object' && module !== null && 'fuzz' in module)
  const { fuzz } = module
  assert(typeof fuzz === 'function')
  return (bytes) => void fuzz(bytes)
}

for (const [name, seeds] of Object.entries(SEEDS)) {
  test(`${name} throws nothing but its own error`, async () => {
    const fuzz = await targetOf(name)
    const next = randomNumbers(name.length)
    for (const seed of seeds) fuzz(seed)
    for (let round = 0; round < ROUNDS; round++) {
      const noise = Uint8Array.from({ length: next(40) }, () => next(256))
      fuzz(round % 4 === 0 ? noise : mutate(next, seeds[round % seeds.length] ?? noise))
    }
  })
}
