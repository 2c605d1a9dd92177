/**
 * A bare repository that lives for one check, borrowing the objects of another one if there is one. It lies in the
 * system's folder for temporary files and is removed whatever happens to the check.
 */

import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ObjectFormat } from '../../engine/index.ts'
import { plumbingEnvironment } from '../git/environment.ts'
import { openRepository, type Repository } from '../git/repository.ts'

/** Runs `use` with a fresh repository and removes it afterwards. */
export async function withScratchRepository<Result>(
  objectFormat: ObjectFormat,
  lender: Repository | null,
  use: (scratch: Repository) => Promise<Result>,
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'gittorrent-verify-'))
  try {
    // No template: one may bring configuration, grafts, alternates.
    const args = ['init', '--quiet', '--bare', '--template=', `--object-format=${objectFormat}`, folder]
    await promisify(execFile)('git', args, { env: plumbingEnvironment() })
    if (lender !== null) {
      await writeFile(join(folder, 'objects', 'info', 'alternates'), `${join(lender.gitDir, 'objects')}\n`)
    }
    return await use(await openRepository(folder))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
