/**
 * What the helper does after a clone or fetch with `gittorrent.seed`, and after something was published: it tells the daemon,
 * if one runs, and goes on. The daemon looks at the repository itself, once git has written its refs; nothing here may
 * delay a fetch or fail a push.
 */
import { resolve } from 'node:path'
import { configValue, type Environment, type GitConfig, type Settings } from '../config.ts'
import { messageOf } from '../errors.ts'
import { HAND_OVER_TIMEOUT_MS } from '../limits.ts'
import type { Trace } from '../trace.ts'
import { askDaemon } from './control-client.ts'
import { daemonHome } from './home.ts'

export interface FinishedFetch {
  /** Of the repository, absolute or relative to the working directory. */
  readonly gitDir: string
  readonly remoteName: string
  readonly bytesFromPeers: number
  readonly config: GitConfig
  readonly settings: Settings
  readonly env: Environment
  readonly trace: Trace
}

/** What was published under a key of ours, or under one that delegates to us. */
export interface FinishedPublication {
  /** Of the publisher, 40 digits. */
  readonly id: string
  readonly name: string
  readonly settings: Settings
  readonly env: Environment
  readonly trace: Trace
}

/** Tells the daemon, which keeps it from now on; true if one runs. Whatever goes wrong is only traced. */
export function handOverPublication({ id, name, settings, env, trace }: FinishedPublication): Promise<boolean> {
  const request = { command: 'published', key: id, name }
  return askDaemon(daemonHome(settings, env), request).then(
    () => true,
    (error: unknown) => {
      trace(() => `daemon: ${messageOf(error)}`)
      return false
    },
  )
}

/** Tells the daemon; whatever goes wrong is only traced. A fetch from a bare URL, which is no remote, is not told. */
export async function handOver(fetch: FinishedFetch): Promise<void> {
  const { gitDir, remoteName, bytesFromPeers, config, settings, env, trace } = fetch
  if (configValue(config, `remote.${remoteName}.url`) === null) return
  const request = {
    command: 'add',
    path: resolve(gitDir),
    remote: remoteName,
    claim: 'helper',
    downloaded: bytesFromPeers,
  }
  await askDaemon(daemonHome(settings, env), request, HAND_OVER_TIMEOUT_MS).then(
    () => trace(() => 'daemon: told'),
    (error: unknown) => trace(() => `daemon: ${messageOf(error)}`),
  )
}
