/**
 * One at a time among processes of this user: a file that its holder touches while it works. A holder that died leaves a
 * file that grows old, and the next one takes it over; no process ids, which mean nothing from another container.
 * Advisory, and for folders on one machine: clocks of different machines do not agree well enough.
 */
import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { HelperError } from '../errors.ts'
import { LOCK_POLL_MS, LOCK_STALE_MS, LOCK_TOUCH_MS } from '../limits.ts'
import { temporaryPath } from './atomic-file.ts'

/**
 * Runs `work` while nobody else runs under the lock `path`, whose folder is made; waits up to `waitMs` for it.
 * Not for use inside itself: it would wait for its own end. @throws HelperError 'busy'
 */
export async function withLock<T>(path: string, waitMs: number, work: () => Promise<T>): Promise<T> {
  const token = randomBytes(16).toString('hex')
  await mkdir(dirname(path), { recursive: true })
  for (const deadlineMs = performance.now() + waitMs; !(await take(path, token)); ) {
    if (performance.now() > deadlineMs)
      throw new HelperError('busy', `'${path}': expected it to become free, got none in ${waitMs} ms, try again`)
    await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS))
  }
  const touch = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => {})
  }, LOCK_TOUCH_MS)
  try {
    return await work()
  } finally {
    clearInterval(touch)
    if ((await readFile(path, 'utf8').catch(() => '')) === token) await rm(path, { force: true })
  }
}

/** A link appears whole and never replaces what is there. */
async function take(path: string, token: string): Promise<boolean> {
  const temporary = temporaryPath(dirname(path))
  try {
    await writeFile(temporary, token)
    await link(temporary, path)
    return true
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'EEXIST') throw error
  } finally {
    await rm(temporary, { force: true })
  }
  await removeStale(path)
  return false
}

/** Moves a lock aside that nobody touches; puts it back if it was not the one that was looked at. */
async function removeStale(path: string): Promise<void> {
  const seen = await stat(path).catch(() => null)
  if (seen === null || Date.now() - seen.mtimeMs < LOCK_STALE_MS) return
  const aside = temporaryPath(dirname(path))
  await rename(path, aside).catch(() => {})
  const moved = await stat(aside).catch(() => null)
  if (moved !== null && moved.ino !== seen.ino) await link(aside, path).catch(() => {})
  await rm(aside, { force: true })
}
