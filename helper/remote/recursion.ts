/**
 * Guard against running into ourselves. The relay starts no git command that resolves URLs, so url.<base>.insteadOf
 * cannot lead back here; if a hook or a configured command does so all the same for the origin that is just being
 * served, GITTORRENT_ORIGINS in the environment tells, and the second helper refuses instead of going round for ever.
 */
import type { Environment } from '../config.ts'
import { HelperError } from '../errors.ts'
import { withoutPassword } from '../trace.ts'

const VARIABLE = 'GITTORRENT_ORIGINS'

/** Returns `env` for processes started on behalf of `url`. Throws recursion when one such is above us already. */
export function enterOrigin(env: Environment, url: string): Environment {
  const key = encodeURIComponent(withoutPassword(url))
  const above = (env[VARIABLE] ?? '').split(' ').filter(Boolean)
  if (above.includes(key)) {
    const message = `cannot serve ${withoutPassword(url)}: it is being served by a git-remote-gittorrent above this one, try to take the url.insteadOf for it out of the configuration`
    throw new HelperError('recursion', message)
  }
  return { ...env, [VARIABLE]: [...above, key].join(' ') }
}
