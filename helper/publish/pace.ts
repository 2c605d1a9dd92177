/**
 * How often records are put again, and news are looked for. For tests that cannot wait for hours there is
 * GITTORRENT_TEST_PACE_S, seconds for both, meant for a DHT of one's own whose nodes forget as fast; the daemon's own node then
 * forgets after six times that. In the public DHT it would be a nuisance. It changes when something is done, never what is signed or believed.
 */
import type { Environment } from '../config.ts'
import { HelperError, printable } from '../errors.ts'
import { FOLLOW_INTERVAL_MS, REPUBLISH_INTERVAL_MS } from './limits.ts'

export interface Pace {
  readonly republishMs: number
  readonly lookMs: number
  /** For which our DHT node keeps items; undefined: as usual. */
  readonly itemAgeMs: number | undefined
}

const PACES_PER_ITEM_AGE = 6

/** @throws HelperError 'setting-malformed' */
export function paceOf(env: Environment): Pace {
  const text = env.GITTORRENT_TEST_PACE_S
  if (text === undefined)
    return { republishMs: REPUBLISH_INTERVAL_MS, lookMs: FOLLOW_INTERVAL_MS, itemAgeMs: undefined }
  if (!/^[1-9]\d{0,4}$/.test(text))
    throw new HelperError(
      'setting-malformed',
      `cannot use GITTORRENT_TEST_PACE_S: expected seconds, got '${printable(text)}'`,
    )
  const paceMs = Number(text) * 1000
  return { republishMs: paceMs, lookMs: paceMs, itemAgeMs: PACES_PER_ITEM_AGE * paceMs }
}
