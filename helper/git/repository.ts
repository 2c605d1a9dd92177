/**
 * What a repository is, asked of git once: where its common directory lies, its object format, whether it holds all its
 * history. A shallow or partial repository lacks delta bases, so it neither builds links nor gets any.
 */

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { ObjectFormat } from '../../engine/index.ts'
import { HelperError, printable } from '../errors.ts'
import { GIT_COMMAND_TIMEOUT_MS } from '../limits.ts'
import { plumbingEnvironment } from './environment.ts'

const OUTPUT_LENGTH_MAX = 256 * 1024 * 1024

export interface Repository {
  /** As the user wrote it. */
  readonly path: string
  /** The common git directory, absolute; objects and refs are there. */
  readonly gitDir: string
  readonly objectFormat: ObjectFormat
  readonly isShallow: boolean
  readonly isPartial: boolean
  readonly isBare: boolean
}

/** Output of a git command on a repository. @throws HelperError 'git-failed' */
export function runGit(gitDir: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolveOutput, reject) => {
    const options = { env: plumbingEnvironment(), maxBuffer: OUTPUT_LENGTH_MAX, encoding: 'utf8' as const }
    const child = execFile('git', ['--git-dir', gitDir, ...args], options, (error, stdout, stderr) => {
      if (error === null) resolveOutput(stdout)
      else
        reject(new HelperError('git-failed', `git ${args[0]}: ${printable(stderr.trim() || error.message)}`, {}, error))
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}

/** The directory that all worktrees of a repository share, absolute; read from its files, without asking git. */
export async function commonDirOf(gitDir: string): Promise<string> {
  const written = await readFile(join(gitDir, 'commondir'), 'utf8').catch(() => '.')
  return resolve(gitDir, written.trim())
}

/** Bytes of all objects as they are stored, packed or loose, each once. @throws HelperError 'git-failed' */
export async function lengthOfObjects({ gitDir }: Repository): Promise<number> {
  const args = ['cat-file', '--batch-all-objects', '--unordered', '--batch-check=%(objectsize:disk)']
  return (await runGit(gitDir, args)).split('\n').reduce((sum, length) => sum + Number(length), 0)
}

/** Opens a repository: a work tree, a bare repository or a git directory. @throws HelperError 'repository-unusable' */
export async function openRepository(path: string): Promise<Repository> {
  const questions = ['--git-common-dir', '--show-object-format', '--is-shallow-repository', '--is-bare-repository']
  const [commonDir, format, shallow, bare] = (await revParse(path, questions)).split('\n')
  if (commonDir === undefined || (format !== 'sha1' && format !== 'sha256')) {
    throw new HelperError('repository-unusable', `repository '${path}': expected a git repository, got none`)
  }
  const gitDir = resolve(path, commonDir)
  const promisors = await runGit(gitDir, [
    'config',
    '--get-regexp',
    '^(extensions\\.partialclone|remote\\..*\\.promisor)$',
  ]).catch(() => '')
  return {
    path,
    gitDir,
    objectFormat: format,
    isShallow: shallow === 'true' || existsSync(join(gitDir, 'shallow')),
    isPartial: promisors.split('\n').some((line) => line !== '' && !/\.promisor (false|no|off|0)$/i.test(line)),
    isBare: bare === 'true',
  }
}

/** @throws HelperError 'repository-unusable' for a repository that does not hold all its history */
export function requireWholeHistory(repository: Repository): void {
  if (!repository.isShallow && !repository.isPartial) return
  const kind = repository.isShallow ? 'shallow' : 'partial'
  const remedy = repository.isShallow
    ? '`git fetch --unshallow`'
    : '`git fetch --refetch` after unsetting remote.*.promisor'
  throw new HelperError(
    'repository-unusable',
    `repository '${repository.path}': expected all history, got a ${kind} clone, try ${remedy}`,
  )
}

function revParse(path: string, questions: readonly string[]): Promise<string> {
  return new Promise((resolveOutput, reject) => {
    const options = { env: plumbingEnvironment(), timeout: GIT_COMMAND_TIMEOUT_MS, encoding: 'utf8' as const }
    execFile('git', ['-C', path, 'rev-parse', ...questions], options, (error, stdout, stderr) => {
      if (error === null) resolveOutput(stdout.trimEnd())
      else {
        const said = printable(stderr.trim().split('\n')[0] ?? error.message)
        reject(
          new HelperError(
            'repository-unusable',
            `repository '${path}': expected a git repository, got ${said}`,
            {},
            error,
          ),
        )
      }
    })
  })
}
