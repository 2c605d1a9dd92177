/**
 * git's protocol.allow for the transport behind ours. git itself has only asked whether `gittorrent` is allowed; without
 * this, a submodule URL such as gittorrent::file:///... would get around the user's protocol.file.allow.
 */
import { configValue, type Environment, type GitConfig } from '../config.ts'
import { HelperError } from '../errors.ts'
import type { OriginScheme } from '../url.ts'

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
