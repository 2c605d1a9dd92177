/**
 * Where the daemon keeps its list and its socket: `gittorrent.home`, else `$XDG_STATE_HOME/gittorrent`, else
 * `~/.local/state/gittorrent`. The folder belongs to one user and is closed to others (0700), the socket in it too
 * (0600): whoever can connect is that user or root, which is all the authentication there is.
 */
import { chmod, lstat, mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import type { Environment, Settings } from '../config.ts'
import { HelperError } from '../errors.ts'
import { SOCKET_PATH_LENGTH_MAX } from '../limits.ts'

const FOLDER_MODE = 0o700
const OTHERS = 0o077

export interface DaemonHome {
  readonly folder: string
  readonly socket: string
  /** The persistent list of repositories. */
  readonly list: string
  /** That of publications. */
  readonly publications: string
}

/** Names the places; touches nothing. @throws HelperError 'setting-malformed' */
export function daemonHome(settings: Settings, env: Environment): DaemonHome {
  const state = env.XDG_STATE_HOME ?? ''
  const base = isAbsolute(state) ? state : join(env.HOME ?? homedir(), '.local', 'state')
  const folder = settings.home ?? join(base, 'gittorrent')
  const socket = join(folder, 'daemon.sock')
  if (!isAbsolute(folder) || Buffer.byteLength(socket) > SOCKET_PATH_LENGTH_MAX) {
    const expected = `an absolute path of at most ${SOCKET_PATH_LENGTH_MAX - 'daemon.sock/'.length} bytes`
    throw new HelperError(
      'setting-malformed',
      `cannot use gittorrent.home: expected ${expected}, got '${folder}', try a shorter one`,
    )
  }
  return { folder, socket, list: join(folder, 'repositories.json'), publications: join(folder, 'publications.json') }
}

/** Makes the folder, or makes sure that it is ours alone. @throws HelperError 'home-unsafe' */
export async function prepareHome({ folder }: DaemonHome): Promise<void> {
  await mkdir(folder, { recursive: true, mode: FOLDER_MODE })
  const found = await lstat(folder)
  if (!found.isDirectory() || found.uid !== process.getuid?.()) throw unsafe(folder, 'a folder of this user')
  if ((found.mode & OTHERS) !== 0) await chmod(folder, FOLDER_MODE)
}

/** Whether a daemon's socket is one that only this user can have made. */
export async function isOwnSocket({ folder, socket }: DaemonHome): Promise<boolean> {
  const [outer, inner] = await Promise.all([folder, socket].map((path) => lstat(path).catch(() => null)))
  const uid = process.getuid?.()
  if (!outer?.isDirectory() || !inner?.isSocket()) return false
  return outer.uid === uid && inner.uid === uid && (outer.mode & OTHERS) === 0
}

function unsafe(path: string, expected: string): HelperError {
  return new HelperError('home-unsafe', `'${path}': expected ${expected}, got another, try gittorrent.home`)
}
