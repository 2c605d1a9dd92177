/**
 * The daemon's list of repositories, in one JSON file that is written atomically: what is kept, on whose word, and what it
 * has given and taken so far. A file that cannot be read stops the start: an empty list would silently seed nothing.
 */
import { readFile } from 'node:fs/promises'
import { HelperError } from '../errors.ts'
import { writeFileAtomically } from '../store/atomic-file.ts'

/** On whose word a repository is kept: a command, a finished clone of the helper, or a `git-daemon-export-ok` file. */
export type Claim = 'command' | 'helper' | 'export-ok'

export interface ListEntry {
  /** As the user sees it: the work tree, or the bare repository. */
  readonly path: string
  /** The common git directory, absolute; what entries are told apart by. */
  readonly gitDir: string
  readonly remote: string
  /** URL of the origin where the remote does not say it. */
  readonly origin: string | null
  readonly includeLocal: boolean
  readonly claim: Claim
  /** Bytes to and from peers, over all runs. */
  uploadedLength: number
  downloadedLength: number
}

/** @throws HelperError 'home-unsafe' when the file is not a list of ours */
export async function readList(path: string): Promise<ListEntry[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (text === null) return []
  try {
    const { version, repositories } = JSON.parse(text)
    if (version !== 1 || !Array.isArray(repositories)) throw new Error('another version')
    return repositories.map(parseEntry)
  } catch (error) {
    throw new HelperError('home-unsafe', `'${path}': expected a list of repositories, try to move it away`, {}, error)
  }
}

export async function writeList(path: string, entries: readonly ListEntry[]): Promise<void> {
  const text = `${JSON.stringify({ version: 1, repositories: entries }, null, 2)}\n`
  await writeFileAtomically(path, [Buffer.from(text)])
}

function parseEntry(value: unknown): ListEntry {
  const entry = Object(value)
  const { path, gitDir, remote, origin, includeLocal, claim, uploadedLength, downloadedLength } = entry
  const areTexts = [path, gitDir, remote].every((text) => typeof text === 'string')
  const areCounts = [uploadedLength, downloadedLength].every((count) => Number.isSafeInteger(count) && count >= 0)
  const isClaim = claim === 'command' || claim === 'helper' || claim === 'export-ok'
  if (!areTexts || !areCounts || !isClaim || (origin !== null && typeof origin !== 'string')) {
    throw new Error('a malformed entry')
  }
  return { path, gitDir, remote, origin, includeLocal: includeLocal === true, claim, uploadedLength, downloadedLength }
}
