/**
 * The date of a state of a repository: what moves the clock of an exported folder on, so that the same commits give the
 * same folder whenever and wherever it is made.
 */

import { type Repository, runGit } from './repository.ts'

/** Newest committer date of the tips, in seconds since 1970; 0 where there are none. */
export async function newestDate(
  { gitDir }: Pick<Repository, 'gitDir'>,
  tips: readonly { readonly oid: string }[],
): Promise<number> {
  if (tips.length === 0) return 0
  const input = `${tips.map(({ oid }) => oid).join('\n')}\n`
  const text = await runGit(gitDir, ['log', '--no-walk', '--no-show-signature', '--format=%ct', '--stdin'], input)
  return Math.max(0, ...text.split('\n').map(Number).filter(Number.isSafeInteger))
}
