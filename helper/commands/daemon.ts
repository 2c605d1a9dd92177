/**
 * `gittorrent daemon`: the background service in the foreground, as systemd and launchd want it. It ends on SIGTERM,
 * SIGINT or `gittorrent stop`, within three seconds.
 */
import { once } from 'node:events'
import { formatAddress } from '../../net/index.ts'
import {
  DAEMON_OPTIONS,
  HTTP_OPTIONS,
  readDaemonSettings,
  readGitConfig,
  readHttpSettings,
  readSettings,
  SETTING_OPTIONS,
} from '../config.ts'
import { Daemon } from '../daemon/daemon.ts'
import { daemonHome } from '../daemon/home.ts'
import { HelperError } from '../errors.ts'
import { DAEMON_CLOSE_TIMEOUT_MS } from '../limits.ts'
import { openTrace } from '../trace.ts'
import { type Command, type CommandContext, type ParsedCommand, parseCommand } from './command-line.ts'

const USAGE =
  'daemon [--root <folder>]... [--root-url <URL>] [--tracker <host:port>] [--tracker-origin <URL>]... [--http <host:port> [--http-url <URL>] [--http-private]] [--snapshot] [<limits and network options>]'

export const daemonCommand: Command = {
  usage: USAGE,
  async run(args, context) {
    const parsed = parseCommand(args, USAGE, { ...SETTING_OPTIONS, ...HTTP_OPTIONS, ...DAEMON_OPTIONS })
    if (parsed.positionals.length > 0) throw new HelperError('usage', `usage: gittorrent ${USAGE}`)
    const { env, printText, signal } = context
    const values = withOwnTracker(parsed.values)
    const config = await readGitConfig(env)
    const settings = readSettings(config, env, values)
    const stopped = new AbortController()
    const daemon = await Daemon.open({
      home: daemonHome(settings, env),
      config,
      settings,
      daemonSettings: readDaemonSettings(config, env, values),
      http: readHttpSettings(config, env, values),
      program: [process.execPath, process.argv[1] ?? ''],
      env,
      trace: openTrace(env),
      log: (text) => printText(`gittorrent: ${text}\n`),
      onStop: () => stopped.abort(),
    })
    greet(daemon, context)
    const end = AbortSignal.any([signal, stopped.signal])
    if (!end.aborted) await once(end, 'abort')
    // Whatever a broken network or disk still holds up is cut off.
    setTimeout(() => process.exit(0), DAEMON_CLOSE_TIMEOUT_MS).unref()
    await daemon.close()
    return 0
  },
}

function greet({ address, httpAddress, trackerUrl }: Daemon, { printText }: CommandContext): void {
  if (trackerUrl !== null) printText(`gittorrent: tracker at ${trackerUrl}\n`)
  if (httpAddress !== null) printText(`gittorrent: web seed on http://${formatAddress(httpAddress)}/\n`)
  printText(`gittorrent: daemon, seeding on ${address === null ? 'no port' : formatAddress(address)}\n`)
}

/** `--tracker host:port`, which is no URL, is the embedded one. */
function withOwnTracker(values: ParsedCommand['values']): ParsedCommand['values'] {
  const given = [values.tracker ?? []].flat().map(String)
  const own = given.find((value) => !value.includes('://'))
  if (own === undefined) return values
  const { tracker: _, ...others } = values
  const urls = given.filter((value) => value !== own)
  return { ...others, 'tracker-listen': own, ...(urls.length === 0 ? {} : { tracker: urls }) }
}
