/**
 * Bencode, writing only, for the info dict of a link (BEP 3). Canonical by construction: integers in decimal, strings as
 * UTF-8 bytes, keys in the order of their bytes.
 * Left out: reading (no bencode of a stranger reaches the engine), lists, integers past 2^53 - 1.
 */

import { concatBytes } from './bytes.ts'
import { assert } from './errors.ts'

/** What an info dict is made of. */
export type Bencodable = number | string | Uint8Array | ReadonlyMap<string, Bencodable>

/**
 * Encodes a value.
 * @param value integers are safe integers; strings are well-formed; only read
 * @returns new bytes
 */
export function encodeBencode(value: Bencodable): Uint8Array {
  const parts: Uint8Array[] = []
  append(value, parts)
  return concatBytes(parts)
}

function append(value: Bencodable, parts: Uint8Array[]): void {
  if (typeof value === 'number') {
    assert(Number.isSafeInteger(value) && !Object.is(value, -0), 'a bencoded number is a safe integer')
    parts.push(utf8(`i${value}e`))
  } else if (typeof value === 'string') {
    append(utf8(value), parts)
  } else if (value instanceof Uint8Array) {
    parts.push(utf8(`${value.length}:`), value)
  } else {
    const entries = [...value].map(([key, entry]) => ({ key: utf8(key), entry }))
    parts.push(utf8('d'))
    for (const { key, entry } of entries.sort((a, b) => compareBytes(a.key, b.key))) {
      append(key, parts)
      append(entry, parts)
    }
    parts.push(utf8('e'))
  }
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const common = Math.min(a.length, b.length)
  for (let i = 0; i < common; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
