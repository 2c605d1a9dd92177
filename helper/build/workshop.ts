/**
 * Where a build works: its worker threads and the folder for what is too long for memory. Opened when the first segment
 * has to be built, closed with the build.
 */

import { BUILD_CACHE_LENGTH } from '../limits.ts'
import { newVerdict } from './deflate.ts'
import { newHeavyLock } from './heavy-gate.ts'
import { ThreadPool } from './pool.ts'
import { SpillFolder } from './spill.ts'

export class Workshop {
  readonly pool: ThreadPool
  readonly spills: SpillFolder

  private constructor(pool: ThreadPool, spills: SpillFolder) {
    this.pool = pool
    this.spills = spills
  }

  /** `gitDir` is absolute; `folder` is where temporary files may be. */
  static async open(gitDir: string, folder: string, threadCount: number): Promise<Workshop> {
    const spills = await SpillFolder.create(folder)
    const cacheLengthMax = Math.floor(BUILD_CACHE_LENGTH / threadCount)
    const shared = { heavyLock: newHeavyLock(), deflateVerdict: newVerdict() }
    const settings = { gitDir, cacheLengthMax, spillFolder: spills.folder, ...shared }
    return new Workshop(new ThreadPool(threadCount, settings), spills)
  }

  async close(): Promise<void> {
    await this.pool.close()
    await this.spills.close()
  }
}
