/**
 * Hints that something has changed in a repository: the file system is watched in a few folders, and many changes become
 * one call. Only hints: what is not seen here (a nested ref, a network file system) is found by polling.
 */
import { type FSWatcher, watch } from 'node:fs'
import { join } from 'node:path'
import { REF_SETTLE_MS } from '../limits.ts'

export class RefWatch {
  readonly #watchers: FSWatcher[] = []
  #timer: NodeJS.Timeout | null = null

  constructor(gitDir: string, remote: string, onHint: () => void) {
    const settle = (): void => {
      this.#timer ??= setTimeout(() => {
        this.#timer = null
        onHint()
      }, REF_SETTLE_MS)
    }
    for (const folder of ['.', 'refs/heads', `refs/remotes/${remote}`]) {
      try {
        const watcher = watch(join(gitDir, folder), { persistent: false }, settle)
        watcher.on('error', () => watcher.close())
        this.#watchers.push(watcher)
      } catch {
        // The folder is not there, or the system has no watches left: polling does it.
      }
    }
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    for (const watcher of this.#watchers) watcher.close()
  }
}
