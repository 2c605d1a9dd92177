/**
 * Asks git whether the packs that came through a tunnel hold what was asked for and nothing else. Git walks from what was wanted down to
 * what refs reach, which says whether all is there, and names what it meets. A name in a pack that it did not meet must be one that the
 * repository has already: who packs for us knows only a thousand of our tips, and looks at few trees below them. Anything else was put in
 * by somebody, and would lie in a repository that holds nothing but what is published.
 */

import { readFile } from 'node:fs/promises'
import { hashLengthOf, type PackIndex, readPackIndex } from '../../engine/index.ts'
import { HelperError } from '../errors.ts'
import { missingOf } from '../git/missing-objects.ts'
import type { Repository } from '../git/repository.ts'
import { ADDED_OBJECT_COUNT_MAX } from '../limits.ts'
import { readNames } from '../share/supply/added-check.ts'
import { LineMembers } from '../share/supply/line-members.ts'
import type { Quarantine } from '../share/supply/quarantine.ts'

/** All of a pack is one line. */
const WHOLE_PACK = [Number.POSITIVE_INFINITY]
const ITS_LINE = 0

/** Names that git is asked for at a time. */
const ASKED_COUNT = 10_000

/** What a tunnel brought. */
export interface TunnelPacks {
  readonly repository: Repository
  readonly quarantine: Quarantine
  /** Of all packs in the quarantine. */
  readonly packHashes: readonly string[]
  readonly wants: readonly string[]
}

/** @throws HelperError origin-protocol if something is missing, pack-padded if something is there besides, limit for more objects than can be checked */
export async function checkTunnel({ repository, quarantine, packHashes, wants }: TunnelPacks): Promise<void> {
  const hashLength = hashLengthOf(repository.objectFormat)
  const indexes: PackIndex[] = []
  for (const hash of packHashes)
    indexes.push(readPackIndex(await readFile(`${quarantine.pathOf(hash)}.idx`), hashLength))
  const count = indexes.reduce((sum, index) => sum + index.count, 0)
  const isLarge = count > ADDED_OBJECT_COUNT_MAX
  // Where nothing was, all that git meets is in the pack, and counting will do.
  if (isLarge && !(quarantine.isOfEmptyStore && indexes.length === 1))
    throw new HelperError('limit', `tunnel: expected at most ${ADDED_OBJECT_COUNT_MAX} objects, got ${count}`)
  const packs = isLarge ? [] : indexes.map((index) => new LineMembers(index, hashLength, WHOLE_PACK))
  let metCount = 0
  const note = (oid: Uint8Array): boolean => {
    metCount++
    for (const members of packs) members.note(oid, ITS_LINE)
    return true
  }
  await readNames(quarantine.listNew(wants), hashLength, note).catch((error: unknown) => {
    if (!(error instanceof HelperError) || error.code !== 'git-failed') throw error
    throw new HelperError('origin-protocol', 'tunnel: expected all that was wanted, got history with holes')
  })
  if (isLarge && metCount !== count) throw padded(`${count - metCount} objects more`)
  for (const members of packs) {
    for (const oids of members.unnoted(ASKED_COUNT)) {
      const [foreign] = await missingOf(repository, oids)
      if (foreign !== undefined) throw padded(`object ${foreign}, too`)
    }
  }
}

function padded(got: string): HelperError {
  return new HelperError('pack-padded', `tunnel: expected what was wanted and nothing else, got ${got}`)
}
