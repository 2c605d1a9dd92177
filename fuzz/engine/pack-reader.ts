/**
 * Fuzz target of the pack reader. The first byte chooses between a body and a whole pack, SHA-1 and SHA-256, and how
 * finely the source hands out its bytes; the rest is the pack. Only EngineError may come out.
 * Limits are far below those of the product, so that the declared lengths of the fuzzer's liking are refused quickly.
 */

import { createHash } from 'node:crypto'
import { EngineError } from '../../engine/errors.ts'
import { createInflate } from '../../engine/inflate.ts'
import { type PackReading, readPack, readPackBody, sourceOfBytes, totalsOf } from '../../engine/pack-reader.ts'
import { packOf, smallBody } from '../driver/seeds.ts'

const LIMITS = { entryCountMax: 1000, objectLengthMax: 2 ** 20, inflatedLengthMax: 2 ** 22, objectsLengthMax: 2 ** 24 }

const inflate = createInflate()

export function fuzz(bytes: Uint8Array): void {
  const choice = bytes[0] ?? 0
  const source = sourceOfBytes(bytes.subarray(1))
  const hashLength = choice & 1 ? 32 : 20
  const reading: PackReading = { source, hashLength, inflate, limits: LIMITS }
  try {
    if (choice & 2) totalsOf(readPackBody(reading, choice & 4 ? choice >> 3 : null))
    else totalsOf(readPack(reading, runningHash(hashLength === 20 ? 'sha1' : 'sha256')))
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
  }
}

function runningHash(algorithm: string) {
  const hash = createHash(algorithm)
  return { update: (part: Uint8Array): void => void hash.update(part), digest: (): Uint8Array => hash.digest() }
}

export function seeds(): Uint8Array[] {
  return [20, 32].flatMap((hashLength, choice) => {
    const body = smallBody(hashLength)
    const pack = packOf(body, 3, choice === 0 ? 'sha1' : 'sha256')
    return [Buffer.of(choice, ...pack), Buffer.of(choice + 2, ...body), Buffer.of(choice + 2 + 4 + (3 << 3), ...body)]
  })
}

export const dictionary = ['PACK', '\0\0\0\x02', 'x\x9c']

/** Entries may declare what a stream of their length can hold, and are inflated into that much room. */
export const allocationLengthMax = 2 * LIMITS.inflatedLengthMax
