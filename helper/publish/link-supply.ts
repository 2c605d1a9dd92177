/**
 * A clone of a publication without a second copy: the packs and loose objects of the isolated repository, which never change,
 * get a second name in the clone (hard links, as `git clone` of a local path makes), and git negotiates only what is left. Across
 * file systems nothing is linked and git copies. Later fetches are small and travel as any; a repack of the clone parts the two.
 */

import { link, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../errors.ts'
import { commonDirOf } from '../git/repository.ts'
import { LINE_COUNT_MAX } from '../limits.ts'
import { NOTHING_SUPPLIED, type Supply, type SupplyRequest } from '../remote/supply.ts'
import type { Trace } from '../trace.ts'

/** Supplies a clone from the isolated repository at `path`. */
export function linkSupply(path: string, trace: Trace): Supply {
  return {
    bring: async (request) => {
      if (request.isShallow || !request.isClone) return NOTHING_SUPPLIED
      try {
        const count = await linkObjects(join(path, 'objects'), join(await commonDirOf(request.gitDir), 'objects'))
        trace(() => `linked ${count} files of ${path}`)
        return { ...NOTHING_SUPPLIED, haves: branchesAmong(request) }
      } catch (error) {
        // What was linked before is whole files of what git is about to copy: no harm, and gone with the next repack.
        return { ...NOTHING_SUPPLIED, note: messageOf(error) }
      }
    },
    close: async () => {},
  }
}

/** Wanted tips of branches; each becomes a mark for git's connectivity check, so not too many. */
function branchesAmong({ wants, refs }: SupplyRequest): string[] {
  const tips = new Set([...refs].flatMap(([name, oid]) => (name.startsWith('refs/heads/') ? [oid] : [])))
  return [...new Set(wants)].filter((oid) => tips.has(oid)).slice(0, LINE_COUNT_MAX)
}

async function linkObjects(from: string, to: string): Promise<number> {
  const folders = (await readdir(from)).filter((name) => name === 'pack' || /^[0-9a-f]{2}$/.test(name))
  let count = 0
  for (const folder of folders) {
    const names = await readdir(join(from, folder))
    await mkdir(join(to, folder), { recursive: true })
    for (const name of names.filter(isObjectFile).sort(byVisibility)) {
      await link(join(from, folder, name), join(to, folder, name)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error
      })
      count++
    }
  }
  return count
}

const isObjectFile = (name: string): boolean =>
  /^([0-9a-f]{38}|[0-9a-f]{62}|pack-[0-9a-f]+\.(pack|idx|rev|keep))$/.test(name)

/** What makes a pack visible, its index, comes last. */
function byVisibility(one: string, other: string): number {
  return Number(one.endsWith('.idx')) - Number(other.endsWith('.idx'))
}
