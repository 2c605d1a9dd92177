/**
 * Where a user's keys, published repositories, followed publishers and names lie: GITTORRENT_DATA, else
 * $XDG_DATA_HOME/gittorrent, else ~/.local/share/gittorrent. Nothing of one repository alone is here: that is in
 * $GIT_DIR/gittorrent. Folders are made when something is written, keys' with mode 0700.
 */
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Environment } from './config.ts'

/** The absolute path of the user's data folder. */
export function dataFolder(env: Environment): string {
  if (env.GITTORRENT_DATA !== undefined && env.GITTORRENT_DATA !== '') return env.GITTORRENT_DATA
  const base = env.XDG_DATA_HOME ?? ''
  return join(base.startsWith('/') ? base : join(env.HOME ?? homedir(), '.local', 'share'), 'gittorrent')
}
