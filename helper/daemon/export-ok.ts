/**
 * Repositories that are offered the way git-daemon(1) and the first gittorrentd knew it: a file `git-daemon-export-ok` in
 * the git directory. Search goes through folders only, never through links, and does not enter a git directory.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { EXPORT_DEPTH_MAX, EXPORT_FOLDER_COUNT_MAX } from '../limits.ts'

const MARK = 'git-daemon-export-ok'

/** Git directories below `root` that carry the mark, in the order of their paths. */
export async function findExported(root: string): Promise<string[]> {
  const found: string[] = []
  let folders: string[] = [root]
  let visitedCount = 0
  for (let depth = 0; depth <= EXPORT_DEPTH_MAX && folders.length > 0; depth++) {
    const next: string[] = []
    for (const folder of folders) {
      if (++visitedCount > EXPORT_FOLDER_COUNT_MAX) return found.sort()
      const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
      const names = new Set(entries.map(({ name }) => name))
      const isGitDir = names.has('objects') && names.has('refs') && names.has('HEAD')
      if (isGitDir && names.has(MARK)) found.push(folder)
      if (isGitDir) continue
      for (const entry of entries) if (entry.isDirectory()) next.push(join(folder, entry.name))
    }
    folders = next
  }
  return found.sort()
}
