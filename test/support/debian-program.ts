/**
 * Programs of Debian's archive that a test wants to try beside ours: continuous integration installs them, elsewhere it is said where
 * one is missing.
 */

import type { TestContext } from 'node:test'
import { install, isThere } from '../../bench/torrent-clients.ts'

export interface DebianProgram {
  readonly name: string
  readonly packageName: string
  /** Words that fail unless the program is there. */
  readonly probe: readonly string[]
}

/** True if the program can be run; otherwise the output of the test says how it could. */
export async function isAtHand(program: DebianProgram, t: TestContext): Promise<boolean> {
  if (process.env.CI !== undefined && process.getuid?.() === 0 && !(await isThere(program)))
    await install([program.packageName]).catch((error: Error) => t.diagnostic(error.message))
  const isFound = await isThere(program)
  if (!isFound) t.diagnostic(`${program.name} was not tried: try: apt-get install ${program.packageName}`)
  return isFound
}
