/**
 * Requests to the daemon about publications: `keep` (from `gittorrent add gittorrent://<key>/…`), `published` (from publish and
 * push on this machine) and `remove`. All of them carry `key`; what is wrong is told to the asker.
 */
import { HelperError } from '../errors.ts'
import { idOf } from '../publish/kept-publication.ts'
import { repositoryName } from '../publish/names.ts'
import type { Publications } from './publications.ts'

/** Answers one request. @throws HelperError 'usage', 'limit', 'url-malformed' */
export async function answerForPublications(
  publications: Publications,
  request: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  const { command, key, name, budget } = request
  if (typeof key !== 'string') throw new HelperError('usage', 'expected a key, got none')
  const id = idOf(key)
  const repository = typeof name === 'string' && name !== '' ? repositoryName(name) : null
  if (command === 'keep') {
    const bytes = Number.isSafeInteger(budget) ? Number(budget) : null
    return publications.add({ key, name: repository, budget: bytes })
  }
  if (command === 'published' && repository !== null) {
    await publications.published(key, repository)
    return { id, name: repository }
  }
  if (command !== 'remove') throw new HelperError('usage', `expected a command, got '${String(command)}'`)
  const shown = `gittorrent://${key}/${repository ?? ''}`
  if (await publications.remove(key, repository)) return { path: shown }
  throw new HelperError('usage', `expected a publication of the list, got '${shown}', try \`gittorrent list\``)
}
