/**
 * What git's version tells: too old to work with, or without security fixes that were made for cloning from strangers.
 * Distributions carry fixes back without a new number, so a missing one is a warning.
 */
import { type Finding, finding } from './finding.ts'

/** The first patch level of each minor version with the fixes of CVE-2025-48384 and the ones before it. */
const FIXED_PATCH: ReadonlyMap<number, number> = new Map([
  [43, 7],
  [44, 4],
  [45, 4],
  [46, 4],
  [47, 3],
  [48, 2],
  [49, 1],
  [50, 1],
])
const FIRST_FIXED_MINOR = 51
const OLDEST_MINOR = 39

/** Judges the output of `git version`. */
export function gitVerdict(output: string): Finding {
  const text = output.trim()
  const [, major = 0, minor = 0, patch = 0] = (/(\d+)\.(\d+)(?:\.(\d+))?/.exec(text) ?? []).map((part) =>
    Number(part ?? 0),
  )
  if (major < 2 || (major === 2 && minor < OLDEST_MINOR)) return finding('git', 'failure', text, 'git 2.39 or newer')
  const isFixed =
    major > 2 || minor >= FIRST_FIXED_MINOR || patch >= (FIXED_PATCH.get(minor) ?? Number.POSITIVE_INFINITY)
  if (isFixed) return finding('git', 'ok', text)
  const what = `${text} lacks, by its number, the fix of CVE-2025-48384 (submodules of a hostile repository run code)`
  return finding('git', 'warning', what, 'the security updates of your distribution, or git 2.51')
}
