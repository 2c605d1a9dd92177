/**
 * Runs git as tests need it: no configuration, identity, hook, locale, clock or environment of the machine reaches it.
 * Every call has a timeout. Dates of commits are fixed unless the caller gives others, so object names repeat from run to run.
 * Not for measuring: the output is collected in memory.
 */

import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { directoryUntilExit } from './temporary-directory.ts'

/** 120 s: a `git repack` of the largest generated history takes 10 s on a loaded machine. */
export const GIT_TIMEOUT_MS = 120_000

/** The date of every commit that a test makes without saying when: 2005-04-07, the first commit of git. */
export const FIXED_DATE = '1112911993 +0200'

export interface GitOptions {
  /** Working directory, and so the repository; an empty HOME unless given. */
  readonly directory?: string
  /** What git reads from stdin; nothing by default. */
  readonly input?: Uint8Array | string
  /** Configuration of this one call, as `-c key=value`. */
  readonly config?: Readonly<Record<string, string>>
  /** Added to the hermetic environment; `undefined` removes a variable from it. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Limit for the whole call, in milliseconds. */
  readonly timeoutMs?: number
}

/** How a call of git ended. `status` is null when a signal (a timeout as well) ended it. */
export interface GitOutcome {
  readonly status: number | null
  readonly stdout: Uint8Array
  readonly stderr: string
}

const GLOBAL_CONFIGURATION = `[user]
	name = A U Thor
	email = author@example.com
[init]
	defaultBranch = main
[protocol "file"]
	allow = always
[protocol]
	version = 2
[gc]
	auto = 0
[maintenance]
	auto = false
[core]
	fsync = none
[advice]
	detachedHead = false
`

let home: string | null = null

function sharedHome(): string {
  if (home === null) {
    home = directoryUntilExit()
    mkdirSync(join(home, 'tmp'))
    writeFileSync(join(home, '.gitconfig'), GLOBAL_CONFIGURATION)
  }
  return home
}

/**
 * Returns the whole environment for a git, or for one of our executables, in a test.
 * Of the machine only PATH remains. `extra` is laid over it; `undefined` removes a variable.
 */
export function hermeticEnvironment(extra: Readonly<Record<string, string | undefined>> = {}): Record<string, string> {
  const directory = sharedHome()
  const merged: Record<string, string | undefined> = {
    PATH: process.env.PATH,
    HOME: directory,
    XDG_CONFIG_HOME: join(directory, '.config'),
    TMPDIR: join(directory, 'tmp'),
    LC_ALL: 'C',
    TZ: 'UTC',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: join(directory, '.gitconfig'),
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_AUTHOR_DATE: FIXED_DATE,
    GIT_COMMITTER_DATE: FIXED_DATE,
    ...extra,
  }
  const present = Object.entries(merged).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return Object.fromEntries(present)
}

/** Runs git and returns how it ended, success or not. Rejects only when git cannot be started at all. */
export function gitOutcome(args: readonly string[], options: GitOptions = {}): Promise<GitOutcome> {
  const configuration = Object.entries(options.config ?? {}).flatMap(([key, value]) => ['-c', `${key}=${value}`])
  return new Promise((resolve, reject) => {
    // A process group of its own: what git started, and what holds its pipes open, ends with it.
    const child = spawn('git', [...configuration, ...args], {
      cwd: options.directory ?? sharedHome(),
      env: hermeticEnvironment(options.environment),
      detached: true,
    })
    const timer = setTimeout(() => killGroup(child.pid), options.timeoutMs ?? GIT_TIMEOUT_MS)
    const stdout: Uint8Array[] = []
    const stderr: Uint8Array[] = []
    child.stdout.on('data', (chunk: Uint8Array) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Uint8Array) => stderr.push(chunk))
    // A git that fails early closes its stdin; its exit status and stderr tell more than our EPIPE.
    child.stdin.on('error', () => {})
    child.on('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.on('close', (status) => {
      clearTimeout(timer)
      resolve({ status, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() })
    })
    child.stdin.end(options.input ?? '')
  })
}

function killGroup(pid: number | undefined): void {
  if (pid !== undefined) process.kill(-pid, 'SIGKILL')
}

/** Runs git and returns its stdout as bytes. Rejects, with git's stderr in the message, unless the status is 0. */
export async function gitBytes(args: readonly string[], options: GitOptions = {}): Promise<Uint8Array> {
  const outcome = await gitOutcome(args, options)
  if (outcome.status !== 0) {
    throw new Error(`git ${args.join(' ')}: expected status 0, got ${outcome.status}\n${outcome.stderr}`)
  }
  return outcome.stdout
}

/** Runs git and returns its stdout as text without the final newline. Rejects like gitBytes. */
export async function git(args: readonly string[], options: GitOptions = {}): Promise<string> {
  const text = Buffer.from(await gitBytes(args, options)).toString()
  return text.endsWith('\n') ? text.slice(0, -1) : text
}

/** Runs git and returns the lines of its stdout; no output is no line. Rejects like gitBytes. */
export async function gitLines(args: readonly string[], options: GitOptions = {}): Promise<string[]> {
  const text = await git(args, options)
  return text === '' ? [] : text.split('\n')
}
