/**
 * Fills the engine's commit graph from `git rev-list`: names, trees and parents of everything reachable from some commits.
 * Stored parents, not rewritten ones: grafts and replace refs are off, and git writes no commit-graph file where they are
 * on. Plumbing, and an encoding by name, because log.*, format.* and i18n.* change what `git log` prints: with
 * i18n.logOutputEncoding=UTF-16 even the hex digits.
 */

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { CommitGraph } from '../../engine/index.ts'
import { HelperError } from '../errors.ts'
import { plumbingEnvironment } from './environment.ts'

/** Adds all commits reachable from `tips` to `graph`. @throws HelperError 'git-failed' */
export async function readCommits(gitDir: string, tips: readonly string[], graph: CommitGraph): Promise<void> {
  const args = [
    '--git-dir',
    gitDir,
    'rev-list',
    '--stdin',
    '--no-commit-header',
    '--encoding=UTF-8',
    '--format=%H %T %P',
  ]
  const child = spawn('git', args, { env: plumbingEnvironment(), stdio: ['pipe', 'pipe', 'pipe'] })
  const errors: Uint8Array[] = []
  child.stderr.on('data', (chunk: Uint8Array) => errors.push(chunk))
  child.stdin.on('error', () => {})
  child.stdin.end(`${tips.join('\n')}\n`)
  const closed = new Promise<number | null>((resolve, reject) => {
    child.on('close', resolve)
    child.on('error', reject)
  })
  for await (const line of createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY })) {
    const [commit, tree, ...parents] = line.trimEnd().split(' ')
    if (commit !== undefined && tree !== undefined) graph.add(commit, tree, parents)
  }
  const status = await closed
  if (status !== 0) {
    const said = Buffer.concat(errors).toString('utf8').trim().split('\n')[0]
    throw new HelperError('git-failed', `git rev-list: expected status 0, got ${status} (${said})`)
  }
}
