/**
 * Which of some names the object store of a repository lacks. It is git that looks; what lies in a quarantine does not count.
 */
import { type Repository, runGit } from './repository.ts'

/** Those of `oids` that are not here. */
export async function missingOf({ gitDir }: Pick<Repository, 'gitDir'>, oids: readonly string[]): Promise<string[]> {
  if (oids.length === 0) return []
  const answers = await runGit(gitDir, ['cat-file', '--batch-check'], `${oids.join('\n')}\n`)
  return answers.split('\n').flatMap((line) => (line.endsWith(' missing') ? [line.split(' ')[0] ?? ''] : []))
}
