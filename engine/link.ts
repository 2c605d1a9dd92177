/**
 * A link from its segments: bundle header, pack header with the summed count, the bodies from oldest to newest, the
 * pack's trailer (FORMAT.md, "Links"). Only the layout is computed here; bytes of bodies stay where they are.
 */

import { encodeBundleHeader } from './bundle.ts'
import type { LinkPlan } from './chain.ts'
import { hashLengthOf, type ObjectFormat } from './oid.ts'
import { PACK_HEADER_LENGTH, writePackHeader } from './pack-entry.ts'

/** Where things are in a link's payload. Offsets and lengths in bytes. */
export interface LinkLayout {
  /** Bundle header and pack header. */
  readonly header: Uint8Array
  /** Length of the bundle header alone: where the pack starts. */
  readonly packOffset: number
  /** Where body i starts; one more than there are bodies, the last being where the trailer starts. */
  readonly bodyOffsets: readonly number[]
  readonly trailerLength: number
  /** Length of the whole payload. */
  readonly length: number
}

/** Lays out a link whose segments have these object counts and body lengths, oldest first. */
export function layOutLink(
  plan: Pick<LinkPlan, 'tip' | 'base'>,
  objectFormat: ObjectFormat,
  segments: readonly { readonly objectCount: number; readonly length: number }[],
): LinkLayout {
  const bundleHeader = encodeBundleHeader({ objectFormat, tip: plan.tip, base: plan.base })
  const header = new Uint8Array(bundleHeader.length + PACK_HEADER_LENGTH)
  header.set(bundleHeader)
  const objectCount = segments.reduce((sum, segment) => sum + segment.objectCount, 0)
  writePackHeader(header, bundleHeader.length, objectCount)
  const bodyOffsets = [header.length]
  for (const { length } of segments) bodyOffsets.push((bodyOffsets[bodyOffsets.length - 1] ?? 0) + length)
  const trailerLength = hashLengthOf(objectFormat)
  const length = (bodyOffsets[segments.length] ?? 0) + trailerLength
  return { header, packOffset: bundleHeader.length, bodyOffsets, trailerLength, length }
}
