/**
 * Where the origin of a repository is: what the user says, else the URL of the remote as it is stored, past
 * url.<base>.insteadOf, which may lead back to us.
 */
import { HelperError } from '../errors.ts'
import { type Origin, parseRemoteUrl } from '../url.ts'
import { type Repository, runGit } from './repository.ts'

/** @throws HelperError 'usage' without a remote and a URL, 'url-unsupported' and 'url-malformed' for others than origins */
export async function originOf(
  repository: Pick<Repository, 'gitDir' | 'path'>,
  remote: string,
  given: string | null,
): Promise<Origin> {
  const url =
    given ?? (await runGit(repository.gitDir, ['config', '--get', `remote.${remote}.url`]).catch(() => '')).trim()
  if (url === '') {
    throw new HelperError(
      'usage',
      `expected an origin of '${repository.path}', got no remote '${remote}', try --origin <URL>`,
    )
  }
  const parsed = parseRemoteUrl(url)
  if (parsed.kind !== 'origin') throw new HelperError('url-unsupported', `expected the URL of an origin, got '${url}'`)
  return parsed
}
