/**
 * Short-lived marks on commits that the swarm brought. A pin makes git's connectivity check (`rev-list --objects --not
 * --all`) stop there instead of walking the whole history. The check runs after git has waited for the helper to exit, so
 * the pin must outlive us; yet a ref that lingers would show in listings and travel with `push --mirror`. So a pin is the
 * detached HEAD of a worktree entry without a worktree: `--all` reads it, listings of refs do not, `git worktree prune`
 * takes it if all else fails. A small shell removes it when git has ended; the next run collects what a crash left.
 * Repositories whose refs are no files (reftable) get none and are only checked slower.
 * A ref proper, refs/gittorrent/tmp/<pid>-<n>, is for `fetch` by an inner helper, whose negotiation starts from refs; it
 * is gone before git hears of the end of that batch.
 */

import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rm, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { configValue, type Environment, type GitConfig } from '../config.ts'
import { HelperError, messageOf, printable } from '../errors.ts'
import { commonDirOf } from '../git/repository.ts'
import { GIT_COMMAND_TIMEOUT_MS } from '../limits.ts'
import type { Trace } from '../trace.ts'
import { clientProcess, isAlive } from './client-process.ts'

const PIN_NAME = /^gittorrent-(\d+)-[0-9a-f]{12}$/

/**
 * Waits (at most two hours) for a process that is not its child, then takes the entries named behind it out of sight:
 * without the file `gitdir` git passes over an entry. The rest goes two seconds later, when no git can be left that saw
 * the entry and has not read it yet; one that found it half gone would die of it.
 */
const REMOVE_LATER = `pid=$1; shift; n=0
while kill -0 "$pid" 2>/dev/null && [ $n -lt 72000 ]; do sleep 0.1 || sleep 1; n=$((n + 1)); done
for entry; do rm -f "$entry/gitdir"; done; sleep 2
for entry; do rm -rf "$entry"; done; rmdir "\${entry%/*}"`

export class TemporaryRefs {
  private readonly gitDir: string | null
  private readonly isSupported: boolean
  private readonly trace: Trace

  constructor(gitDir: string | null, config: GitConfig, trace: Trace) {
    this.gitDir = gitDir
    this.isSupported = (configValue(config, 'extensions.refstorage') ?? 'files') === 'files'
    this.trace = trace
  }

  /** Pins `oids` until the git process that started us has ended. A failure costs speed only and is traced. */
  async pin(oids: readonly string[]): Promise<void> {
    if (this.gitDir === null || !this.isSupported) return
    try {
      const folder = join(await commonDirOf(this.gitDir), 'worktrees')
      await collectLeftPins(folder)
      if (oids.length === 0) return
      const client = await clientProcess()
      const entries = oids.map(() => join(folder, `gittorrent-${client}-${randomBytes(6).toString('hex')}`))
      const janitor = spawn('sh', ['-c', REMOVE_LATER, 'sh', String(client), ...entries], {
        cwd: '/',
        detached: true,
        stdio: 'ignore',
      })
      janitor.on('error', (error) => this.trace(() => `no janitor: ${error.message}`))
      janitor.unref()
      await Promise.all(oids.map((oid, index) => writePin(entries[index] ?? '', oid)))
    } catch (error) {
      this.trace(() => `cannot pin: ${messageOf(error)}`)
    }
  }
}

/** A worktree entry needs HEAD, commondir and gitdir; the place that gitdir names does not exist. */
async function writePin(entry: string, oid: string): Promise<void> {
  await mkdir(entry, { recursive: true })
  await writeFile(join(entry, 'commondir'), '../..\n')
  await writeFile(join(entry, 'gitdir'), `${join(entry, 'nowhere', '.git')}\n`)
  await writeFile(join(entry, 'HEAD'), `${oid}\n`)
}

/** Removes pins whose git process is gone. */
async function collectLeftPins(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  const left = names.filter((name) => {
    const owner = PIN_NAME.exec(name)?.[1]
    return owner !== undefined && !isAlive(Number(owner))
  })
  await Promise.all(left.map((name) => rm(join(folder, name), { recursive: true, force: true })))
  if (left.length > 0) await rmdir(folder).catch(() => {})
}

/**
 * Runs `work` while refs/gittorrent/tmp/... point at `oids`; collects those that a crash left before.
 * Throws git-failed when the refs cannot be written.
 */
export async function withTemporaryRefs<T>(
  oids: readonly string[],
  env: Environment,
  work: () => Promise<T>,
): Promise<T> {
  if (oids.length === 0) return work()
  const left = await git(['for-each-ref', '--format=%(refname)', 'refs/gittorrent/tmp/'], '', env)
  const dead = left
    .split('\n')
    .filter((name) => /\/\d+-\d+$/.test(name) && !isAlive(Number(/(\d+)-\d+$/.exec(name)?.[1])))
  const names = oids.map((_, index) => `refs/gittorrent/tmp/${process.pid}-${index}`)
  const creations = names.map((name, index) => `update ${name} ${oids[index]}\n`)
  await git(['update-ref', '--stdin'], [...dead.map((name) => `delete ${name}\n`), ...creations].join(''), env)
  try {
    return await work()
  } finally {
    await git(['update-ref', '--stdin'], names.map((name) => `delete ${name}\n`).join(''), env)
  }
}

function git(args: readonly string[], input: string, env: Environment): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { env: { ...env }, timeout: GIT_COMMAND_TIMEOUT_MS, encoding: 'utf8' as const }
    const child = execFile('git', [...args], options, (error, stdout, stderr) => {
      if (!error) resolve(stdout)
      else reject(new HelperError('git-failed', `git ${args[0]} failed: ${printable(stderr.trim())}`, {}, error))
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}
