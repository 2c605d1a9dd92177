/**
 * Asks git whether the lines of an indexed pack hold what they add and nothing else. Git lists what the top of a line reaches and
 * its base does not, and all that the line holds has to be in that list. The list may be longer: git does not know everything
 * that the base reaches, so it names again what went and came back. An object twice in one line is not exact, in two lines it may be.
 * For the main line of a clone exact-check.ts does the same while it comes; what is too short or too long for that is only counted here, because
 * where nothing was before, what is listed is in the pack.
 */

import { readFile } from 'node:fs/promises'
import { hashLengthOf, type ObjectFormat, type Oid, readPackIndex, writeOidOfDigits } from '../../../engine/index.ts'
import { HelperError } from '../../errors.ts'
import { ADDED_BEYOND_COUNT_MAX, ADDED_CHECK_MS, ADDED_CHECK_MS_PER_THOUSAND } from '../../limits.ts'
import { LineMembers } from './line-members.ts'
import type { Quarantine } from './quarantine.ts'

/** Listings that run side by side: a second one starts while the first reads; each holds what it walks in memory. */
const ADDED_CHECKS_AT_ONCE = 2

/** A line in a pack. */
export interface LineExtent {
  readonly top: Oid
  /** The commit below its oldest segment, null where it reaches the roots. */
  readonly base: Oid | null
  /** Where in the pack its bodies end; they start where those of the line before it end. */
  readonly end: number
}

/** `unfinished`: it takes too long to find out, or a base is not there. */
export type AddedVerdict = 'exact' | 'not-exact' | 'unfinished'

/** @param path of a pack in the quarantine, without `.pack` and `.idx`; @param lines in the order of the pack */
export async function checkAdded(
  path: string,
  objectFormat: ObjectFormat,
  lines: readonly LineExtent[],
  quarantine: Quarantine,
): Promise<AddedVerdict> {
  const hashLength = hashLengthOf(objectFormat)
  const index = readPackIndex(await readFile(`${path}.idx`), hashLength)
  const ends = lines.map(({ end }) => end)
  const members = new LineMembers(index, hashLength, ends)
  const limit = AbortSignal.timeout(ADDED_CHECK_MS + Math.ceil(members.count / 1000) * ADDED_CHECK_MS_PER_THOUSAND)
  const enough = new AbortController()
  const signal = AbortSignal.any([limit, enough.signal])
  const left = [...lines.entries()]
  let notedCount = 0
  let beyondCount = 0
  const checkNext = async (): Promise<AddedVerdict> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [line, { top, base }] = next
      const note = (oid: Uint8Array): boolean => {
        if (members.note(oid, line)) notedCount++
        // A line from the roots on has all that its top reaches.
        else if (base === null) return false
        else beyondCount++
        return beyondCount <= members.count + ADDED_BEYOND_COUNT_MAX
      }
      if (await readNames(quarantine.listAdded(top, base, signal), hashLength, note)) continue
      left.length = 0
      return base === null ? 'not-exact' : 'unfinished'
    }
    return 'exact'
  }
  const checks = Array.from({ length: ADDED_CHECKS_AT_ONCE }, checkNext)
  try {
    const verdicts = await Promise.all(checks)
    const failed = verdicts.find((verdict) => verdict !== 'exact')
    return failed ?? (notedCount === members.count ? 'exact' : 'not-exact')
  } catch (error) {
    if (!(error instanceof HelperError)) throw error
    const bases = lines.flatMap(({ base }) => base ?? [])
    const areBasesThere = (await quarantine.commitsAmong(bases)).length === bases.length
    return error.code === 'git-failed' && areBasesThere ? 'not-exact' : 'unfinished'
  } finally {
    enough.abort()
    await Promise.allSettled(checks)
  }
}

/** Whether a pack of `objectCount` objects, alone in the quarantine, is what `top` reaches. Linear in the history, whoever made it. */
export async function checkAll(
  top: Oid,
  objectFormat: ObjectFormat,
  objectCount: number,
  quarantine: Quarantine,
): Promise<AddedVerdict> {
  let length = 0
  try {
    for await (const part of quarantine.listAll(top)) length += part.length
  } catch (error) {
    if (!(error instanceof HelperError)) throw error
    return error.code === 'git-failed' ? 'not-exact' : 'unfinished'
  }
  return length === objectCount * lineLengthOf(hashLengthOf(objectFormat)) ? 'exact' : 'not-exact'
}

/** Calls `note` with each name, always in the same bytes, until it returns false; true if it never did. */
export async function readNames(
  listing: AsyncIterable<Uint8Array>,
  hashLength: number,
  note: (oid: Uint8Array) => boolean,
): Promise<boolean> {
  const oid = new Uint8Array(hashLength)
  const lineLength = lineLengthOf(hashLength)
  let rest = new Uint8Array(0)
  for await (const part of listing) {
    const bytes = rest.length === 0 ? part : Buffer.concat([rest, part])
    let at = 0
    for (; at + lineLength <= bytes.length; at += lineLength) {
      writeOidOfDigits(bytes, at, oid, 0, hashLength)
      if (!note(oid)) return false
    }
    rest = Uint8Array.from(bytes.subarray(at))
  }
  return true
}

/** Of the digits of a name and a line feed. */
function lineLengthOf(hashLength: number): number {
  return 2 * hashLength + 1
}
