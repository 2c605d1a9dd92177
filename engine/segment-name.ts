/**
 * The text that names a segment in tables and file names: grain, tip, base. What it names is a pure function of it
 * (FORMAT.md, "Segments").
 */

import type { Grain, SegmentPlan } from './chain.ts'
import { EngineError } from './errors.ts'
import { type ObjectFormat, parseOid } from './oid.ts'

/** `<fine|coarse>-<tip>-<base or "root">`. */
export function segmentNameOf(segment: SegmentPlan): string {
  return `${segment.grain}-${segment.tip}-${segment.base ?? 'root'}`
}

/** The segment behind a name. @throws table-malformed, oid-malformed */
export function parseSegmentName(text: string, format: ObjectFormat): SegmentPlan {
  const [grain, tip, base, ...rest] = text.split('-')
  if ((grain !== 'fine' && grain !== 'coarse') || tip === undefined || base === undefined || rest.length > 0) {
    throw new EngineError(
      'table-malformed',
      `segment name: expected grain-tip-base, got ${JSON.stringify(text.slice(0, 200))}`,
    )
  }
  return {
    grain: grain satisfies Grain,
    tip: parseOid(tip, format),
    base: base === 'root' ? null : parseOid(base, format),
  }
}
