/**
 * The repository that a bench was given on its command line: any path into it, bare or not. Where there is none, the process ends
 * with the usage and status 129, as git's own commands do.
 */

import { spawnSync } from 'node:child_process'
import { plumbingEnvironment } from '../helper/git/environment.ts'
import { repositoryName } from './result-file.ts'

export interface GivenRepository {
  readonly name: string
  /** Absolute. */
  readonly gitDir: string
}

/** `usage` is the command line behind "usage: ". */
export function givenRepository(path: string | undefined, usage: string): GivenRepository {
  if (path === undefined || path === '') return endWith(`usage: ${usage}`)
  const args = ['-C', path, 'rev-parse', '--absolute-git-dir']
  const { status, stdout } = spawnSync('git', args, { env: plumbingEnvironment(), encoding: 'utf8' })
  if (status !== 0) return endWith(`${path}: expected a git repository, got none\nusage: ${usage}`)
  return { name: repositoryName(path), gitDir: stdout.trimEnd() }
}

function endWith(text: string): never {
  console.error(text)
  process.exit(129)
}
