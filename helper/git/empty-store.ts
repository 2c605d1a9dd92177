/**
 * Whether a repository has no object at all, as at the beginning of a clone. Told from the names in its object directory, without
 * asking git: refs and HEAD of such a repository name nothing.
 */

import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** True for an object directory without objects, packs or alternates; what others have in quarantine does not count. */
export async function isEmptyStore(objects: string): Promise<boolean> {
  const names = await readdir(objects).catch(() => [])
  const packs = await readdir(join(objects, 'pack')).catch(() => [])
  const isKnown = (name: string): boolean => name === 'info' || name === 'pack' || name.startsWith('tmp_')
  return names.every(isKnown) && packs.length === 0 && !existsSync(join(objects, 'info', 'alternates'))
}
