/**
 * The records of segments that a manifest leaves to .torrent files: those of the links that a request may take. A clone may take all
 * of its lines; a fetch ends at the first link whose tip the repository has, and mostly needs none.
 */

import { createHash } from 'node:crypto'
import { HelperError } from '../../errors.ts'
import type { Manifest, ManifestChain, ManifestLink } from '../../export/manifest.ts'
import { recordIn } from '../../export/torrent-file.ts'
import { heldAmong } from '../../git/held-commits.ts'
import { TORRENT_PARALLEL_COUNT } from '../../limits.ts'
import type { SupplyRequest } from '../../remote/supply.ts'

/** Records by the names of payloads; `torrentOf` brings the .torrent file of one. @throws HelperError 'manifest-malformed' and what `torrentOf` throws */
export async function recordsFor(
  { chains }: Manifest,
  request: Pick<SupplyRequest, 'gitDir' | 'isClone' | 'isShallow' | 'isUnshallow' | 'refs' | 'wants'>,
  torrentOf: (file: string) => Promise<Uint8Array>,
): Promise<Map<string, Uint8Array>> {
  const { gitDir, isClone, isShallow, isUnshallow } = request
  const lines = isShallow ? [] : linesFor(chains, request)
  const isElsewhere = ({ segments }: ManifestLink): boolean => segments === null
  if (!lines.some(({ links }) => links.some(isElsewhere))) return new Map()
  const tips = lines.flatMap(({ links }) => links.map(({ tip }) => tip))
  const held = isClone || isUnshallow ? new Set() : await heldAmong(tips, gitDir)
  const wanted = new Map<string, ManifestLink>()
  for (const { links } of lines) {
    const end = links.findIndex(({ tip }) => held.has(tip))
    for (const link of links.slice(0, end < 0 ? links.length : end)) if (isElsewhere(link)) wanted.set(link.file, link)
  }
  const records = new Map<string, Uint8Array>()
  const waiting = [...wanted.values()]
  const work = async (): Promise<void> => {
    for (let link = waiting.shift(); link !== undefined; link = waiting.shift()) {
      const record = recordIn(await torrentOf(link.file))
      if (!isRecordOf(link, record)) throw malformed(link.file)
      records.set(link.file, record)
    }
  }
  await Promise.all(Array.from({ length: TORRENT_PARALLEL_COUNT }, work))
  return records
}

function malformed(file: string): HelperError {
  const expected = 'expected the segments in the manifest, got others'
  return new HelperError('manifest-malformed', `${file}.torrent: ${expected}`)
}

export function isRecordOf({ segmentsSha256 }: ManifestLink, record: Uint8Array | null): record is Uint8Array {
  return record !== null && createHash('sha256').update(record).digest('hex') === segmentsSha256
}

/** The lines of wanted refs; a branch may leave any line before it. */
function linesFor(
  chains: readonly ManifestChain[],
  { refs, wants }: Pick<SupplyRequest, 'refs' | 'wants'>,
): readonly ManifestChain[] {
  const wanted = new Set(wants)
  const last = chains.findLastIndex(({ ref }) => wanted.has(refs.get(ref) ?? ''))
  return chains.slice(0, last + 1)
}
