/**
 * What the doctor looks at, in the order in which it is shown. A look that fails itself is a failure of its subject, so
 * that one broken thing hides no other.
 */
import { execFile } from 'node:child_process'
import { constants, existsSync } from 'node:fs'
import { access, statfs } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { pickDeflate } from '../build/deflate.ts'
import {
  type Environment,
  type GitConfig,
  type HostPort,
  readDaemonSettings,
  readGitConfig,
  readSettings,
  type Settings,
} from '../config.ts'
import { askDaemon } from '../daemon/control-client.ts'
import { type DaemonHome, daemonHome } from '../daemon/home.ts'
import { messageOf } from '../errors.ts'
import { DISK_FREE_LENGTH_MIN, GIT_COMMAND_TIMEOUT_MS } from '../limits.ts'
import { humanBytes } from '../progress.ts'
import { configurationFindings } from './configuration.ts'
import { type Finding, finding } from './finding.ts'
import { gitVerdict } from './git-version.ts'
import { portFindings, type RunningDaemon } from './port.ts'
import { wayFindings } from './ways.ts'

const NODE_MIN = [20, 19] as const

/** Looks at everything; never rejects. @param asksPublic ask the usual nodes of the public DHT too */
export async function findings(env: Environment, asksPublic: boolean): Promise<Finding[]> {
  const found: Finding[] = [
    await look('git', () => gitFinding(env)),
    nodeFinding(),
    await look('compressor', compressor),
  ]
  found.push(helperFinding(env))
  let config: GitConfig
  let settings: Settings
  let trackerListen: HostPort | null
  let home: DaemonHome
  try {
    config = await readGitConfig(env)
    settings = readSettings(config, env)
    trackerListen = readDaemonSettings(config, env).trackerListen
    home = daemonHome(settings, env)
  } catch (error) {
    return [...found, finding('configuration', 'failure', messageOf(error), 'to correct that setting')]
  }
  const daemon = await askDaemon(home, { command: 'status' }).then(runningDaemon, () => null)
  found.push(...configurationFindings(config, env, settings, daemon !== null))
  found.push(...(await portFindings(settings, trackerListen, daemon)))
  found.push(...(await wayFindings(settings, asksPublic)))
  found.push(daemonFinding(daemon, home))
  found.push(await look('disk', () => diskFinding(env)))
  return found
}

async function look(subject: string, at: () => Promise<Finding>): Promise<Finding> {
  return at().catch((error) => finding(subject, 'failure', messageOf(error)))
}

function gitFinding(env: Environment): Promise<Finding> {
  const options = { env: { ...env }, encoding: 'utf8' as const, timeout: GIT_COMMAND_TIMEOUT_MS }
  return new Promise((resolve) => {
    execFile('git', ['version'], options, (error, stdout) => {
      if (error) resolve(finding('git', 'failure', 'git cannot be started', 'to install git 2.39 or newer'))
      else resolve(gitVerdict(stdout))
    })
  })
}

function nodeFinding(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const isNewEnough = major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])
  const text = `version ${process.versions.node}`
  return finding('node', isNewEnough ? 'ok' : 'failure', text, isNewEnough ? '' : `Node ${NODE_MIN.join('.')} or newer`)
}

async function compressor(): Promise<Finding> {
  pickDeflate()
  return finding('compressor', 'ok', `zlib ${process.versions.zlib}, or the normative one where that differs`)
}

function helperFinding(env: Environment): Finding {
  const folder = (env.PATH ?? '').split(delimiter).find((path) => existsSync(join(path, 'git-remote-gittorrent')))
  if (folder !== undefined) return finding('helper', 'ok', `git finds ${join(folder, 'git-remote-gittorrent')}`)
  return finding('helper', 'failure', 'git finds no git-remote-gittorrent on PATH', '`npm link` or a PATH with it')
}

function runningDaemon(status: unknown): RunningDaemon {
  const { address, tracker } = Object(status)
  const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null)
  return { address: textOf(address), trackerUrl: textOf(tracker) }
}

function daemonFinding(daemon: RunningDaemon | null, { socket }: DaemonHome): Finding {
  if (daemon !== null) return finding('daemon', 'ok', `runs, ${daemon.address ?? 'no port'}`)
  return finding(
    'daemon',
    'warning',
    `none on '${socket}': nothing is seeded`,
    '`gittorrent daemon`, if you want to share',
  )
}

async function diskFinding(env: Environment): Promise<Finding> {
  const folder = env.HOME ?? '/'
  await access(folder, constants.W_OK)
  const { bavail, bsize } = await statfs(folder)
  const text = `${humanBytes(bavail * bsize)} free at '${folder}'`
  const isEnough = bavail * bsize > DISK_FREE_LENGTH_MIN
  return finding('disk', isEnough ? 'ok' : 'failure', text, isEnough ? '' : 'to make room')
}
