/**
 * Which branch lines fit into one pack. Lines are exact, but two of them may hold the same object, or one what the main line has:
 * both have merged the same commits, or made the same change. `git index-pack` takes that, unless an entry of the pack is a delta of an
 * object that comes to it twice: that two lines hold, or that one holds behind the entry, when git has fetched it from the
 * repository already. Who has built the segments knows all names, so he can tell the others; nobody has to believe it
 * (supply/take-lines.ts).
 */

import { readRowNames } from '../../engine/index.ts'
import type { SegmentStore } from '../store/segment-store.ts'
import type { HistoryLine } from './history.ts'

/** Six bytes of a name are told apart here: where two names begin alike, a line goes into another pack than it might. */
const KEY_LENGTH = 6

interface Names {
  /** Of objects. */
  readonly held: Set<number>
  /** Of delta bases that are in older segments. */
  readonly bases: Set<number>
}

interface Pack extends Names {
  /** Objects that are held more than once. */
  readonly twice: Set<number>
}

/**
 * Numbers the packs of lines, whose segments are stored: 0 for the main line; of the others each goes into the first pack that
 * it fits into, not before one of the lines that it rests on.
 */
export async function numberPacks(lines: readonly HistoryLine[], store: SegmentStore): Promise<number[]> {
  const packs: Pack[] = []
  const packOfTip = new Map<string, number>()
  const numbers = [0]
  for (const { links } of lines.slice(1)) {
    const names = await namesOf(links, store)
    const first = packOfTip.get(links.at(-1)?.base ?? '') ?? 0
    const found = packs.findIndex((pack, index) => index >= first && fits(names, pack))
    const at = found < 0 ? packs.length : found
    addTo((packs[at] ??= { held: new Set(), bases: new Set(), twice: new Set() }), names)
    numbers.push(at + 1)
    for (const { tip } of links.flatMap(({ segments }) => segments)) packOfTip.set(tip, at)
  }
  return numbers
}

async function namesOf(links: HistoryLine['links'], store: SegmentStore): Promise<Names> {
  const names: Names = { held: new Set(), bases: new Set() }
  for (const plan of links.flatMap(({ segments }) => segments)) {
    const rows = await store.readRows(plan)
    if (rows === null) continue
    const { hashLength, oids, outsideBases } = readRowNames(rows)
    addKeys(oids, hashLength, names.held)
    addKeys(outsideBases, hashLength, names.bases)
  }
  return names
}

function addKeys(oids: Uint8Array, hashLength: number, keys: Set<number>): void {
  const view = new DataView(oids.buffer, oids.byteOffset, oids.length)
  for (let at = 0; at < oids.length; at += hashLength)
    keys.add(view.getUint32(at) * 2 ** (8 * (KEY_LENGTH - 4)) + view.getUint16(at + 4))
}

/** True for a line that can follow what is in the pack. */
function fits({ held, bases }: Names, pack: Pack): boolean {
  for (const name of held) if (pack.bases.has(name) || (pack.held.has(name) && bases.has(name))) return false
  for (const base of bases) if (pack.twice.has(base)) return false
  return true
}

function addTo(pack: Pack, { held, bases }: Names): void {
  for (const name of held) (pack.held.has(name) ? pack.twice : pack.held).add(name)
  for (const base of bases) pack.bases.add(base)
}
