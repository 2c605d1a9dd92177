/**
 * A place for tests of the remote helper: an origin repository with branches, tags and a side history, an environment in
 * which git finds our helper (with or without the supply that stands in for the swarm), and comparisons with plain git.
 */

import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { importCommits } from '../support/fast-import.ts'
import { type GitOptions, git, gitBytes, gitOutcome } from '../support/git.ts'
import { directoryUntilExit, withTemporaryDirectory } from '../support/temporary-directory.ts'

/** What the stand-in supply writes down of a request. */
export interface AskedSupply {
  readonly wants?: readonly string[]
  readonly haves?: readonly string[]
  readonly refs?: Readonly<Record<string, string>>
  readonly head?: string | null
  readonly isClone?: boolean
  readonly origin?: string
  readonly objectFormat?: string
  readonly aborted?: boolean
}

export interface RemoteWorld {
  /** Empty but for `origin.git`, `origins` and `bin`. */
  readonly directory: string
  /** The origin, bare, `<directory>/origins/origin.git`. */
  readonly origin: string
  /** The main line of the origin, oldest first. */
  readonly mainLine: readonly string[]
  /** Runs git with our helper on PATH; rejects unless the status is 0. */
  git(args: readonly string[], options?: GitOptions): Promise<string>
  /** The same, whatever the status. */
  outcome(args: readonly string[], options?: GitOptions): ReturnType<typeof gitOutcome>
  /** What the stand-in supply was asked, oldest first. */
  asked(): Promise<AskedSupply[]>
  /** Makes the stand-in supply bring everything up to `oid`, or stall; `expected` is what it says of that beforehand. */
  supply(oid: string | null, stall?: boolean, expected?: string): Promise<void>
}

const COMMITS_ON_MAIN = 30

/** The origin of every world of this file is a copy of this one. */
const WRITTEN = join(directoryUntilExit(), 'origin.git')
let written: Promise<readonly string[]> | null = null

/** Runs `use` in a fresh world. */
export function withRemoteWorld<Result>(use: (world: RemoteWorld) => Promise<Result>): Promise<Result> {
  return withTemporaryDirectory(async (directory) => {
    const origin = join(directory, 'origins', 'origin.git')
    written ??= writeOrigin(WRITTEN)
    const mainLine = await written
    await cp(WRITTEN, origin, { recursive: true })
    const bin = join(directory, 'bin')
    await writeHelper(bin, join(directory, 'supply.json'))
    const world = new World(directory, origin, mainLine, bin)
    await world.supply(null)
    return use(world)
  })
}

class World implements RemoteWorld {
  readonly directory: string
  readonly origin: string
  readonly mainLine: readonly string[]
  private readonly environment: Record<string, string | undefined>

  constructor(directory: string, origin: string, mainLine: readonly string[], bin: string) {
    this.directory = directory
    this.origin = origin
    this.mainLine = mainLine
    this.environment = { PATH: `${bin}:${process.env.PATH}` }
  }

  git(args: readonly string[], options: GitOptions = {}): Promise<string> {
    return git(args, this.with(options))
  }

  outcome(args: readonly string[], options: GitOptions = {}) {
    return gitOutcome(args, this.with(options))
  }

  async asked(): Promise<AskedSupply[]> {
    const text = await readFile(join(this.directory, 'supply.log'), 'utf8').catch(() => '')
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  }

  async supply(oid: string | null, stall = false, expected = oid): Promise<void> {
    const pack = join(this.directory, 'supply.pack')
    const input = oid === null ? '' : `${oid}\n`
    await writeFile(
      pack,
      await gitBytes(['pack-objects', '--revs', '--stdout', '-q'], { directory: this.origin, input }),
    )
    const haves = oid === null ? [] : [oid]
    const plan = {
      pack,
      haves,
      expected: expected === null ? [] : [expected],
      log: join(this.directory, 'supply.log'),
      stall,
    }
    await writeFile(join(this.directory, 'supply.json'), JSON.stringify(plan))
  }

  private with(options: GitOptions): GitOptions {
    const directory = options.directory ?? this.directory
    return { ...options, directory, environment: { ...this.environment, ...options.environment } }
  }
}

/** Refs and their values, as `for-each-ref` prints them, plus the target of HEAD. */
export async function refsOf(directory: string): Promise<string> {
  const refs = await git(['for-each-ref', '--format=%(objectname) %(refname)'], { directory })
  return `${await git(['symbolic-ref', '-q', 'HEAD'], { directory }).catch(() => 'detached')}\n${refs}`
}

/** Every object that the refs reach, sorted. */
export async function objectsOf(directory: string): Promise<string> {
  const lines = (await git(['rev-list', '--objects', '--all'], { directory })).split('\n')
  return lines
    .map((line) => line.split(' ')[0])
    .sort()
    .join('\n')
}

/** Names of entries that the helper left in a repository's worktrees directory. */
export async function pinsOf(gitDir: string): Promise<string[]> {
  const folder = join(gitDir, 'worktrees')
  const names = await readdir(folder).catch(() => [])
  // git passes over an entry without this file.
  return names.filter((name) => existsSync(join(folder, name, 'gitdir')))
}

async function writeOrigin(origin: string): Promise<readonly string[]> {
  const main = Array.from({ length: COMMITS_ON_MAIN }, (_, index) => ({
    files: {
      [`file-${index % 5}.txt`]: `${'unchanged\n'.repeat(200)}commit ${index}\n`,
      'big.txt': `${index}\n`.repeat(999),
    },
  }))
  const side = { branch: 'topic', parents: [20], files: { 'side.txt': 'side\n' } }
  const other = { branch: 'release/1.0', parents: [10], files: { 'release.txt': 'release\n' } }
  const oids = await importCommits(origin, [...main, side, other])
  await git(['tag', '-a', '-m', 'a tag', 'v1', oids[10] ?? ''], { directory: origin })
  await git(['tag', 'light', oids[12] ?? ''], { directory: origin })
  await git(['config', 'uploadpack.allowFilter', 'true'], { directory: origin })
  await git(['config', 'uploadpack.allowAnySHA1InWant', 'true'], { directory: origin })
  return oids.slice(0, COMMITS_ON_MAIN)
}

async function writeHelper(bin: string, supplyFile: string): Promise<void> {
  await mkdir(bin)
  const fixture = fileURLToPath(new URL('./remote-fixture.js', import.meta.url))
  const path = join(bin, 'git-remote-gittorrent')
  const script = `#!/bin/sh\nGITTORRENT_TEST_SUPPLY='${supplyFile}' exec '${process.execPath}' '${fixture}' "$@"\n`
  await writeFile(path, script)
  await chmod(path, 0o755)
}
