/**
 * The lines of a repository that get chains: the main line (what HEAD names) and branches whose first-parent line has
 * checkpoints of its own, as far as that pays (line-choice.ts). Plans only; reads commits, no other object.
 */

import {
  CommitGraph,
  createCheckpointRule,
  GT1,
  type LinkPlan,
  type Oid,
  parseOid,
  planBranchChain,
  planChain,
  readLine,
  type TracedLine,
  Trunks,
} from '../../engine/index.ts'
import { HelperError } from '../errors.ts'
import { readCommits } from '../git/commits.ts'
import { type Repository, runGit } from '../git/repository.ts'
import { LINE_COUNT_MAX } from '../limits.ts'
import { LineChoice } from './line-choice.ts'

export interface HistoryLine {
  /** Full name of the ref that the line is of. */
  readonly ref: string
  readonly line: TracedLine
  /** Newest first. */
  readonly links: readonly LinkPlan[]
}

export interface History {
  readonly graph: CommitGraph
  /** The main line first. Empty for a repository without commits. */
  readonly lines: readonly HistoryLine[]
}

export interface NamedTip {
  readonly ref: string
  readonly oid: Oid
}

/**
 * Plans the lines of some tips; the first is the main line. Later ones count only where they bring enough, or, if not
 * `isChoosy`, where they have any checkpoint of their own.
 * @throws HelperError 'git-failed'; EngineError 'object-missing' where commits are missing
 */
export async function planHistory(
  repository: Repository,
  tips: readonly NamedTip[],
  isChoosy = true,
): Promise<History> {
  const graph = new CommitGraph(repository.objectFormat)
  const lines: HistoryLine[] = []
  if (tips.length === 0) return { graph, lines }
  await readCommits(
    repository.gitDir,
    tips.map(({ oid }) => oid),
    graph,
  )
  const levelOf = await createCheckpointRule(GT1)
  const trunks = new Trunks(graph)
  let choice: LineChoice | null = null
  for (const { ref, oid } of tips) {
    if (lines.length >= LINE_COUNT_MAX) break
    const line = readLine(graph, oid, levelOf, trunks)
    const isMerged = (checkpoint: Oid): boolean => choice?.isMerged(checkpoint) ?? false
    const links = lines.length === 0 ? planChain(line, GT1) : planBranchChain(line, GT1, isMerged)
    const [newest] = links
    const isTaken = newest !== undefined && (choice?.take(newest.tip, links.at(-1)?.base ?? null) ?? true)
    if (lines.length > 0 && !isTaken) continue
    if (isChoosy) choice ??= new LineChoice(graph, line)
    lines.push({ ref, line, links })
    trunks.add(line)
  }
  return { graph, lines }
}

/** The commit that a revision names. @throws HelperError 'repository-unusable' */
export async function resolveTip(repository: Repository, ref: string): Promise<NamedTip> {
  const revision = `${ref}^{commit}`
  try {
    const text = await runGit(repository.gitDir, ['rev-parse', '--verify', '--quiet', '--end-of-options', revision])
    return { ref, oid: parseOid(text.trim(), repository.objectFormat) }
  } catch (error) {
    const message = `'${ref}' of '${repository.path}': expected a commit, got none (is the repository empty?), try --ref <branch>`
    throw new HelperError('repository-unusable', message, {}, error)
  }
}

/**
 * What may be shown to strangers: the remote-tracking branches of `remote`, in a bare repository its own branches. The
 * main line first, then by age, newest first. Local branches of a work tree only when `includeLocal` says so.
 */
export async function publicTips(repository: Repository, remote: string, includeLocal: boolean): Promise<NamedTip[]> {
  const own = repository.isBare || includeLocal
  const patterns = [`refs/remotes/${remote}/`, ...(own ? ['refs/heads/'] : [])]
  const format = '--format=%(objectname) %(objecttype) %(refname) %(symref)'
  const text = await runGit(repository.gitDir, ['for-each-ref', '--sort=-committerdate', format, ...patterns])
  const head = await mainRef(repository, remote, own)
  const tips: NamedTip[] = []
  for (const line of text.split('\n')) {
    const [oid, type, ref, symref] = line.split(' ')
    if (oid === undefined || type !== 'commit' || ref === undefined || symref !== '') continue
    const tip = { ref, oid: parseOid(oid, repository.objectFormat) }
    if (ref === head) tips.unshift(tip)
    else tips.push(tip)
  }
  return tips
}

async function mainRef(repository: Repository, remote: string, own: boolean): Promise<string> {
  const symbolic = (name: string): Promise<string> =>
    runGit(repository.gitDir, ['symbolic-ref', '--quiet', name]).then(
      (text) => text.trim(),
      () => '',
    )
  const tracked = await symbolic(`refs/remotes/${remote}/HEAD`)
  if (tracked !== '') return tracked
  const head = await symbolic('HEAD')
  return own ? head : head.replace(/^refs\/heads\//, `refs/remotes/${remote}/`)
}
