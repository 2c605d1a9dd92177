/**
 * Encodes one run of a snapshot's objects (FORMAT.md, "Snapshots"): each object tries the ones before it, nearest first,
 * and is stored as the lightest delta or whole.
 */

import type { DeltaEncoder } from './delta-encode.ts'
import { deltaLengthMax, weightOf } from './delta-rules.ts'
import { contentOf, type EntryTools, EntryWriter, type PlacedEntries } from './entry-writer.ts'

/** Objects that are read ahead; changes no byte. */
const READ_AHEAD_COUNT = 64
const NONE = -1

export interface SnapshotRunTools extends EntryTools {
  readonly encoder: DeltaEncoder
}

interface Choice {
  readonly base: number
  readonly delta: Uint8Array | null
}

/** Encodes the objects `first` up to `end` of the table, in this order. @throws object-missing */
export async function encodeRun(first: number, end: number, tools: SnapshotRunTools): Promise<PlacedEntries> {
  const { table, contents } = tools
  const writer = new EntryWriter(tools)
  for (let number = first; number < end; number++) {
    if ((number - first) % READ_AHEAD_COUNT === 0) {
      const count = Math.min(READ_AHEAD_COUNT, end - number)
      await contents.load(Array.from({ length: count }, (_, index) => number + index))
    }
    const { base, delta } = await chooseBase(first, number, tools)
    table.bases[number] = base
    table.depths[number] = base === NONE ? 0 : (table.depths[base] ?? 0) + 1
    await writer.write(number, delta)
  }
  return writer.finish()
}

async function chooseBase(first: number, number: number, tools: SnapshotRunTools): Promise<Choice> {
  const { table, contents, encoder, parameters } = tools
  const target = await contentOf(number, contents)
  let best: Choice = { base: NONE, delta: null }
  let bestWeight = Number.MAX_SAFE_INTEGER
  if (target.length > parameters.longEntryLength) return best
  for (let base = number - 1; base >= first && base >= number - parameters.snapshotWindow; base--) {
    const depth = table.depths[base] ?? 0
    if (table.types[base] !== table.types[number] || depth >= parameters.snapshotDepthMax) continue
    const source = await contentOf(base, contents)
    if (source.length > parameters.longEntryLength) continue
    const lengthBest = best.delta?.length ?? null
    const lengthMax = deltaLengthMax(source.length, target.length, lengthBest, table.hashLength, parameters)
    if (lengthMax === null) continue
    const delta = encoder.encode(await contents.open(base, source), await contents.open(number, target), lengthMax)
    if (delta === null) continue
    const weight = weightOf(delta.length, depth, parameters)
    if (weight >= bestWeight) continue
    best = { base, delta }
    bestWeight = weight
  }
  return best
}
