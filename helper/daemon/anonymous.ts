/**
 * Does an origin answer somebody who shows no credentials? Asked once with git itself, in an environment without the
 * user's home, configuration, credential helpers, askpass and ssh agent. Only http, https and git:// can say yes.
 */
import { execFile } from 'node:child_process'
import { plumbingEnvironment } from '../git/environment.ts'
import { ANONYMOUS_TIMEOUT_MS } from '../limits.ts'
import type { Origin } from '../url.ts'

const OUTPUT_LENGTH_MAX = 256 * 1024 * 1024

/** True if `git ls-remote` without credentials gets an answer; false also when the network is down. */
export function answersAnonymously(origin: Origin, signal: AbortSignal): Promise<boolean> {
  const { scheme, user, url } = origin
  if ((scheme !== 'http' && scheme !== 'https' && scheme !== 'git') || user !== null) return Promise.resolve(false)
  const env = plumbingEnvironment({
    HOME: '/nonexistent',
    XDG_CONFIG_HOME: '/nonexistent',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ASKPASS: 'false',
    SSH_ASKPASS: 'false',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ALLOW_PROTOCOL: 'http:https:git',
  })
  const options = { env, cwd: '/', timeout: ANONYMOUS_TIMEOUT_MS, maxBuffer: OUTPUT_LENGTH_MAX, signal }
  return new Promise((resolve) => {
    execFile('git', ['ls-remote', '--heads', '--', url], options, (error) => resolve(error === null))
  })
}
