/**
 * The kernels of another build, for a comparison in one process: of a dist folder, or of a commit of this repository, which
 * is built in a scratch folder with the packages that are installed here.
 */

import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Kernel } from './kernels.ts'

const PROJECT = fileURLToPath(new URL('../../../', import.meta.url))

/** Loads them; `close` removes what was built. @throws Error if there is no such build */
export async function otherKernels(named: string): Promise<{ kernels: readonly Kernel[]; close: () => void }> {
  const isFolder = existsSync(named) && statSync(named).isDirectory()
  const scratch = isFolder ? null : buildCommit(named)
  const dist = scratch === null ? resolve(named) : join(scratch, 'dist')
  const file = join(dist, 'bench', 'micro', 'kernels.js')
  if (!existsSync(file)) throw new Error(`${named}: expected a build with bench/micro/kernels.js, got none`)
  const { kernels } = (await import(pathToFileURL(file).href)) as { kernels: () => Promise<Kernel[]> }
  const close = (): void => {
    if (scratch !== null) rmSync(scratch, { recursive: true, force: true })
  }
  return { kernels: await kernels(), close }
}

function buildCommit(commit: string): string {
  const scratch = mkdtempSync(join(tmpdir(), 'gittorrent-micro-'))
  const run = (command: string): void => {
    execFileSync('sh', ['-c', command], { cwd: scratch, stdio: ['ignore', 2, 'inherit'] })
  }
  try {
    execFileSync('sh', ['-c', 'git -C "$1" archive "$2" | tar -x -C "$3"', 'sh', PROJECT, commit, scratch])
    symlinkSync(join(PROJECT, 'node_modules'), join(scratch, 'node_modules'))
    // Types of that day may disagree with packages of today; what counts is that it runs.
    run('node_modules/.bin/tsc -b bench || test -f dist/bench/micro/kernels.js')
  } catch (cause) {
    rmSync(scratch, { recursive: true, force: true })
    throw new Error(`${commit}: expected a folder or a commit that builds, got neither`, { cause })
  }
  return scratch
}
