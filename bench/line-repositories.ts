/**
 * Repositories that hold a main line and nothing else, up to a checkpoint, so that the links of GitTorrent and a pack of git
 * hold exactly the same objects. One branch, `refs/heads/only`, which is HEAD; everything in one pack.
 */

import { GT1 } from '../engine/index.ts'
import type { DemoWorld } from './demo-world.ts'
import { type MainLine, newestCut } from './sharing/main-line.ts'

export interface Portion {
  /** Of the first-parent history, 1 to 100. */
  readonly percent: number
  /** First-parent commits. */
  readonly height: number
  /** The checkpoint nearest below that many percent. */
  readonly tip: string
}

/** The checkpoint at or below `percent` of the line; null where there is none. */
export function portionOf({ oids, zeros }: MainLine, percent: number): Portion | null {
  const top = oids.length - 1
  const height = newestCut(zeros, Math.log2(GT1.checkpointModulus))[Math.max(1, Math.round((top * percent) / 100))] ?? 0
  return height === 0 ? null : { percent, height, tip: oids[height] ?? '' }
}

/** Makes `name` in the world's folder: what `tip` reaches in `source`, an absolute path. */
export async function makeLine(world: DemoWorld, source: string, tip: string, name: string): Promise<void> {
  await world.git('init', '--quiet', '--bare', '--initial-branch=only', name)
  await world.run('git', [
    '-C',
    name,
    '-c',
    'fetch.unpackLimit=1',
    'fetch',
    '--quiet',
    '--no-tags',
    `file://${source}`,
    `${tip}:refs/heads/only`,
  ])
}

/** A copy that shares the files of its packs with the original; git and we write new ones instead of changing them. */
export async function copyRepository(world: DemoWorld, from: string, to: string): Promise<void> {
  await world.run('sh', ['-c', `rm -rf ${to} && cp -al ${from} ${to}`])
}

/** Bytes of all packs of a repository in the world's folder. */
export async function packBytes(world: DemoWorld, name: string): Promise<number> {
  const { stdout } = await world.run('sh', ['-c', `stat -c %s ${name}/objects/pack/*.pack`])
  return stdout
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number(line), 0)
}
