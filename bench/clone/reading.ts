/**
 * What reading costs when a repository is made of link packs, against a fresh `git repack -adF --window=10 --depth=50` of
 * the same objects, by turns.
 */

import type { DemoWorld } from '../demo-world.ts'
import { measure, ratios, type Spread, spread } from '../measure.ts'

export interface ReadingRow {
  readonly command: string
  /** Seconds. */
  readonly links: Spread
  readonly repack: Spread
  readonly ratio: Spread
}

const COMMANDS: Readonly<Record<string, (repository: string) => string>> = {
  'git log -p -n 2000': (repository) => `git -C ${repository} log -p -n 2000 HEAD >/dev/null`,
  'git checkout': (repository) =>
    `mkdir tree && git --git-dir=${repository} --work-tree=tree checkout -q -f HEAD -- . && rm -f ${repository}/index`,
  'git log': (repository) => `git -C ${repository} log HEAD >/dev/null`,
}

/** `links` and `plain` are clones of the same main line in the world's folder; `plain` is repacked first. */
export async function measureReading(
  world: DemoWorld,
  links: string,
  plain: string,
  runs: number,
): Promise<ReadingRow[]> {
  await world.git('-C', plain, 'repack', '-adFq', '--window=10', '--depth=50')
  const rows: ReadingRow[] = []
  for (const [command, lineOf] of Object.entries(COMMANDS)) {
    const seconds = { links: [] as number[], repack: [] as number[] }
    for (let run = 0; run < runs; run++) {
      for (const [side, repository] of [['links', links] as const, ['repack', plain] as const]) {
        seconds[side].push((await measure(world, lineOf(repository))).seconds)
        await world.run('rm', ['-rf', 'tree'])
      }
    }
    rows.push({
      command,
      links: spread(seconds.links),
      repack: spread(seconds.repack),
      ratio: ratios(seconds.links, seconds.repack),
    })
  }
  return rows
}
