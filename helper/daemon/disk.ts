/**
 * How much disk a segment store takes, and whether there is room for a build. A first build takes at most about what
 * the packs of the repository take; later ones are small. So does the tree of one commit; the next one takes about as much.
 */
import { readdir, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { HelperError } from '../errors.ts'
import { DISK_FREE_LENGTH_MIN } from '../limits.ts'
import { humanBytes } from '../progress.ts'

/** Bytes of all files in a folder, the folders in it included; 0 if there is none. */
export async function folderLength(folder: string): Promise<number> {
  let length = 0
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) length += await folderLength(path)
    else length += (await stat(path).catch(() => null))?.size ?? 0
  }
  return length
}

/** Bytes that a build of segments may add to a repository's store. */
export async function segmentsToCome(gitDir: string): Promise<number> {
  const storeLength = await folderLength(join(gitDir, 'gittorrent'))
  return storeLength === 0 ? folderLength(join(gitDir, 'objects', 'pack')) : 0
}

/** Bytes that one more snapshot may add; `lastLength` is that of the one before, null if there is none. */
export async function snapshotToCome(gitDir: string, lastLength: number | null): Promise<number> {
  return lastLength ?? folderLength(join(gitDir, 'objects', 'pack'))
}

/**
 * @param lengthToCome bytes that the build may add
 * @param usedLength bytes that all segment stores take together
 * @param lengthMax bytes that they may take, null for no limit
 * @throws HelperError 'limit' when a build on this repository has no room
 */
export async function requireRoom(
  gitDir: string,
  lengthToCome: number,
  usedLength: number,
  lengthMax: number | null,
): Promise<void> {
  if (lengthMax !== null && usedLength + lengthToCome > lengthMax) {
    const got = `${humanBytes(usedLength)} taken and ${humanBytes(lengthToCome)} to come`
    throw new HelperError('limit', `disk: expected at most ${humanBytes(lengthMax)} (gittorrent.diskLimit), got ${got}`)
  }
  const { bavail, bsize } = await statfs(gitDir)
  const freeLength = bavail * bsize
  if (freeLength >= lengthToCome + DISK_FREE_LENGTH_MIN) return
  const needed = humanBytes(lengthToCome + DISK_FREE_LENGTH_MIN)
  throw new HelperError('limit', `disk: expected ${needed} free, got ${humanBytes(freeLength)}, try to make room`)
}
