/**
 * What a fuzz target is, and which there are: one module per parser in fuzz/engine, fuzz/net and fuzz/helper.
 * Inputs that once failed stand in fuzz/regressions.json; they are tried first and serve as seeds.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export interface Target {
  /** Tries one input. Whatever it throws, or rejects with, is a finding. */
  readonly fuzz: (bytes: Uint8Array) => void | Promise<void>
  /** Valid inputs, from our own encoders where there are some. */
  readonly seeds: () => Uint8Array[]
  /** Words of the language, one character per byte. */
  readonly dictionary?: readonly string[]
  /** Longest input that the driver makes, in bytes; 4,096 unless told. */
  readonly inputLengthMax?: number
  /** Bytes that one input may allocate in typed arrays, beyond 64 times its length; 1 MiB unless told. */
  readonly allocationLengthMax?: number
}

const ROOMS = ['engine', 'net', 'helper']
/** Compiled modules lie in dist/fuzz; the regressions stay with the sources. */
const REGRESSIONS = fileURLToPath(new URL('../../../fuzz/regressions.json', import.meta.url))

/** Names of all targets, `room/parser`, in a fixed order. */
export function targetNames(): string[] {
  return ROOMS.flatMap((room) => {
    const names = readdirSync(new URL(`../../../fuzz/${room}/`, import.meta.url))
    return names.filter((name) => name.endsWith('.ts')).map((name) => `${room}/${name.slice(0, -3)}`)
  }).sort()
}

export async function loadTarget(name: string): Promise<Target> {
  const module: Partial<Target> = await import(new URL(`../${name}.js`, import.meta.url).href)
  const { fuzz, seeds } = module
  if (fuzz === undefined || seeds === undefined) throw new Error(`${name}: expected a target with fuzz() and seeds()`)
  return { ...module, fuzz, seeds }
}

/** Inputs of a target that once failed. */
export function regressionsOf(name: string): Uint8Array[] {
  const all: Readonly<Record<string, readonly string[]>> = JSON.parse(readFileSync(REGRESSIONS, 'utf8'))
  return (all[name] ?? []).map((text) => Buffer.from(text, 'base64'))
}
