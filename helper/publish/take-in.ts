/**
 * Copies branches and tags of a repository of the user's into the isolated repository that is published. Everything else,
 * reflogs, stashes, remote-tracking branches, notes and unreachable objects, stays where it is.
 */
import { type Repository, requireWholeHistory, runGit } from '../git/repository.ts'
import type { PublisherFolder } from './publisher-folder.ts'
import { compareNames } from './refs-document.ts'

const REFSPECS = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*']

/**
 * Makes branches and tags of the isolated repository `name` those of `source`, HEAD included. Returns the branches that lost
 * commits by it, such as others have pushed, ascending.
 * @throws HelperError repository-unusable for a shallow or partial repository
 */
export async function takeIn(source: Repository, folder: PublisherFolder, name: string): Promise<string[]> {
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
  const before = await branchesOf(target)
  await runGit(target.gitDir, [...settings, 'fetch', ...options, source.gitDir, ...REFSPECS])
  const head = (await runGit(source.gitDir, ['symbolic-ref', '--quiet', 'HEAD']).catch(() => '')).trim()
  if (head.startsWith('refs/heads/')) await runGit(target.gitDir, ['symbolic-ref', 'HEAD', head])
  return losersBetween(target, before, await branchesOf(target))
}

async function branchesOf({ gitDir }: Repository): Promise<Map<string, string>> {
  const listed = await runGit(gitDir, ['for-each-ref', '--format=%(refname) %(objectname)', 'refs/heads/'])
  return new Map(listed.split('\n').flatMap((line) => (line === '' ? [] : [line.split(' ') as [string, string]])))
}

/** Branches whose former tip none of the branches now reaches. */
async function losersBetween(
  { gitDir }: Repository,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): Promise<string[]> {
  const changed = [...before].filter(([name, oid]) => after.get(name) !== oid)
  if (changed.length === 0) return []
  const tips = changed.map(([, oid]) => `${oid}\n`)
  const args = ['rev-list', '--no-walk', '--stdin']
  const kept = new Set([...after.values()].map((oid) => `^${oid}\n`))
  const lost = new Set((await runGit(gitDir, args, [...tips, ...kept].join(''))).split('\n'))
  return changed.flatMap(([name, oid]) => (lost.has(oid) ? [name] : [])).sort(compareNames)
}
