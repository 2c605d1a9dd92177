/**
 * Copies branches and tags of a repository of the user's into the isolated repository that is published. Everything else,
 * reflogs, stashes, remote-tracking branches, notes and unreachable objects, stays where it is.
 */
import { type Repository, requireWholeHistory, runGit } from '../git/repository.ts'
import type { PublisherFolder } from './publisher-folder.ts'

const REFSPECS = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*']

/**
 * Makes branches and tags of the isolated repository `name` those of `source`, HEAD included.
 * @throws HelperError repository-unusable for a shallow or partial repository
 */
export async function takeIn(source: Repository, folder: PublisherFolder, name: string): Promise<Repository> {
  requireWholeHistory(source)
  const target = await folder.openRepository(name, source.objectFormat)
  const settings = [
    '-c',
    'protocol.file.allow=always',
    '-c',
    'core.hooksPath=/dev/null',
    '-c',
    'fetch.fsckObjects=false',
  ]
  const options = ['--quiet', '--prune', '--no-tags', '--force', '--no-write-fetch-head', '--no-auto-gc']
  await runGit(target.gitDir, [...settings, 'fetch', ...options, source.gitDir, ...REFSPECS])
  const head = (await runGit(source.gitDir, ['symbolic-ref', '--quiet', 'HEAD']).catch(() => '')).trim()
  if (head.startsWith('refs/heads/')) await runGit(target.gitDir, ['symbolic-ref', 'HEAD', head])
  return target
}
