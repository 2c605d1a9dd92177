/**
 * What the user's configuration says of the transport behind ours, which git cannot see: protocol.allow (it has only asked
 * whether `gittorrent` is allowed; without this, a submodule URL such as gittorrent::file:///... would get around the
 * user's protocol.file.allow) and transfer.credentialsInUrl.
 */
import { configValue, type Environment, type GitConfig } from '../config.ts'
import { HelperError, printable } from '../errors.ts'
import type { Origin, OriginScheme } from '../url.ts'

const ALWAYS_BY_DEFAULT: ReadonlySet<OriginScheme> = new Set<OriginScheme>(['https', 'http', 'git', 'ssh'])

/** Throws protocol-forbidden when git would refuse to use `scheme` (git-config, "protocol.allow"). */
export function requireAllowed(scheme: OriginScheme, config: GitConfig, env: Environment): void {
  if (isAllowed(scheme, config, env)) return
  const message = `cannot reach the origin: transport '${scheme}' not allowed, try protocol.${scheme}.allow`
  throw new HelperError('protocol-forbidden', message, { scheme })
}

function isAllowed(scheme: OriginScheme, config: GitConfig, env: Environment): boolean {
  if (env.GIT_ALLOW_PROTOCOL !== undefined) return env.GIT_ALLOW_PROTOCOL.split(':').includes(scheme)
  const value =
    configValue(config, `protocol.${scheme}.allow`) ??
    configValue(config, 'protocol.allow') ??
    (ALWAYS_BY_DEFAULT.has(scheme) ? 'always' : 'user')
  if (value.toLowerCase() === 'always') return true
  if (value.toLowerCase() === 'never') return false
  return !/^(0|false|no|off)$/i.test(env.GIT_PROTOCOL_FROM_USER ?? 'true')
}

/**
 * Says, or throws, what transfer.credentialsInUrl demands for a URL with a password in it (git-config), in git's words.
 * Throws setting-malformed, protocol-forbidden.
 */
export function checkCredentials({ scheme, url }: Origin, config: GitConfig, warn: (text: string) => void): void {
  const value = configValue(config, 'transfer.credentialsinurl') ?? 'allow'
  const parts = /^(https?:\/\/[^/@:]*:)([^/@]*)(@.*)$/s.exec(url)
  if ((scheme !== 'http' && scheme !== 'https') || parts === null || value === 'allow') return
  const text = `URL '${printable(`${parts[1]}<redacted>${parts[3]}`)}' uses plaintext credentials`
  if (value === 'warn') warn(`warning: ${text}\n`)
  else if (value === 'die') throw new HelperError('protocol-forbidden', text)
  else throw new HelperError('setting-malformed', `unrecognized value transfer.credentialsInUrl: '${printable(value)}'`)
}
