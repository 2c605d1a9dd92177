/**
 * Whether git would check the contents of objects that a fetch brings: fetch.fsckObjects, else transfer.fsckObjects, else
 * not (git-config). What peers bring is held to the user's own rule: a stricter one would refuse well-known
 * repositories for modes and dates of long ago.
 */
import { configValue, type GitConfig } from '../../config.ts'

export function fsckWanted(config: GitConfig): boolean {
  const value = configValue(config, 'fetch.fsckobjects') ?? configValue(config, 'transfer.fsckobjects') ?? 'false'
  return /^(true|yes|on|1)$/i.test(value)
}
