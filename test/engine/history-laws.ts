/**
 * How a law about histories is checked: random histories, each in a repository of its own.
 */

import { join } from 'node:path'
import fc from 'fast-check'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'
import {
  type HistoryDescription,
  type HistoryOptions,
  historyArbitrary,
  type WrittenHistory,
  writeHistory,
} from './histories.ts'

export interface LawOptions extends HistoryOptions {
  readonly numRuns: number
}

/**
 * Checks `claim` on random histories of 4 to 40 commits unless said otherwise; fast-check shrinks and prints what breaks it.
 * `scratch` is an empty folder, the repository apart.
 */
export async function holdsForHistories(
  claim: (history: WrittenHistory, scratch: string) => Promise<void>,
  { numRuns, ...options }: LawOptions,
): Promise<void> {
  const histories = historyArbitrary({ commitCountMin: 4, commitCountMax: 40, ...options })
  const property = fc.asyncProperty(histories, (description: HistoryDescription) =>
    withTemporaryDirectory(async (scratch) => claim(await writeHistory(join(scratch, 'r'), description), scratch)),
  )
  await fc.assert(property, { numRuns, seed: 20261121 })
}
