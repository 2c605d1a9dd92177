/**
 * A directory that lives exactly as long as one test.
 * Tests never write anywhere else; what a failing test leaves behind is removed as well.
 * One more directory per process, removed at its exit, is the HOME of every git that tests start.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const NAME_PREFIX = 'gittorrent-test-'
const REMOVE_OPTIONS = { recursive: true, force: true, maxRetries: 5, retryDelay: 50 } as const

/** Runs `use` with a fresh, empty directory (absolute path) and removes it afterwards, whatever happened. */
export async function withTemporaryDirectory<Result>(
  use: (directory: string) => Result | Promise<Result>,
): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), NAME_PREFIX))
  try {
    return await use(directory)
  } finally {
    await rm(directory, REMOVE_OPTIONS)
  }
}

/** Returns a fresh directory that is removed when this process exits. Synchronous, because exit handlers must be. */
export function directoryUntilExit(): string {
  const directory = mkdtempSync(join(tmpdir(), NAME_PREFIX))
  process.once('exit', () => rmSync(directory, REMOVE_OPTIONS))
  return directory
}
