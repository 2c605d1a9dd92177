/**
 * Makes a repository that has the shape of a real project of any size, in seconds, by one `git fast-import`:
 * topic branches that are merged (about 30 % of the commits are merges), release branches with fixes and tags,
 * hot files, renames, translations, a few binaries, several open topics at the end.
 * The same options give the same objects on every machine. Odd and malformed objects are not here:
 * those are in test/engine/histories.ts.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { importStream, type ProjectOptions } from './generated-project.ts'

export interface GeneratedRepository {
  readonly directory: string
  /** The commit of refs/heads/main. */
  readonly tip: string
  readonly commitCount: number
  /** Commits on the first-parent line of the tip. */
  readonly firstParentCount: number
}

/** 10 minutes: 100,000 commits take two. */
const GIT_TIMEOUT_MS = 600_000

/**
 * Creates a bare repository in `directory`, which is absent or empty, and fills it.
 * `commitCount` counts all branches. The pack is made anew at the end, as a forge would keep it: fast-import only
 * delivers, without deltas. Rejects with git's stderr if git fails.
 */
export async function generateRepository(directory: string, options: ProjectOptions): Promise<GeneratedRepository> {
  const objectFormat = options.objectFormat ?? 'sha1'
  await runGit(['init', '--quiet', '--bare', '--initial-branch=main', `--object-format=${objectFormat}`, directory])
  const importing = ['-c', 'core.compression=1', 'fast-import', '--quiet', '--depth=0', '--active-branches=64']
  await runGit(['-C', directory, ...importing], importStream(options))
  await runGit(['-C', directory, 'repack', '-adFq', '--window=10', '--depth=50'])
  const tip = await runGit(['-C', directory, 'rev-parse', 'refs/heads/main'])
  const commitCount = Number(await runGit(['-C', directory, 'rev-list', '--count', '--all']))
  const firstParentCount = Number(await runGit(['-C', directory, 'rev-list', '--count', '--first-parent', tip]))
  return { directory, tip, commitCount, firstParentCount }
}

async function runGit(args: readonly string[], input: Iterable<Uint8Array> = []): Promise<string> {
  const environment = { ...process.env, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', LC_ALL: 'C' }
  const child = spawn('git', args, { env: environment, timeout: GIT_TIMEOUT_MS })
  const stdout: Uint8Array[] = []
  const stderr: Uint8Array[] = []
  child.stdout.on('data', (chunk: Uint8Array) => stdout.push(chunk))
  child.stderr.on('data', (chunk: Uint8Array) => stderr.push(chunk))
  const closed = once(child, 'close')
  // A git that dies closes its stdin; its status and stderr say why.
  const fed = pipeline(Readable.from(input), child.stdin).catch(() => {})
  const [status] = await closed
  await fed
  if (status !== 0) {
    throw new Error(`git ${args.join(' ')}: expected status 0, got ${status}\n${Buffer.concat(stderr).toString()}`)
  }
  return Buffer.concat(stdout).toString().trim()
}
