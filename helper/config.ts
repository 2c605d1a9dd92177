/**
 * Settings of one run: git configuration `gittorrent.*`, overridden by GITTORRENT_* in the environment, overridden by
 * command-line options. git is asked once (`git config --list -z`), because every process costs start-up time; the
 * relay takes protocol.*, core.sshCommand and the like from the same answer. Multi-valued settings replace each other
 * as a whole; an empty value in git configuration clears the ones before it, as git's own lists do.
 */
import { execFile } from 'node:child_process'
import { isAbsolute, join } from 'node:path'
import { HelperError, printable } from './errors.ts'
import {
  CONFIG_LENGTH_BYTES_MAX,
  GIT_COMMAND_TIMEOUT_MS,
  POLL_INTERVAL_DEFAULT_S,
  REPOSITORY_COUNT_DEFAULT,
  SETTING_VALUE_COUNT_MAX,
} from './limits.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Values by canonical key (section and variable in lower case, subsection as it is), oldest first. */
export type GitConfig = ReadonlyMap<string, readonly string[]>

export interface HostPort {
  readonly host: string
  /** 0 to 65535; 0 only in `listen`, where it means any free port. */
  readonly port: number
}

/** What follows refs/mirrors/ in the name of a list. */
export type MirrorKind = 'bundle/http' | 'bundle/torrent-magnet' | 'bundle/torrent' | 'fetch/git' | 'fetch/http'

/** In the order in which they are asked for unless the user says otherwise. */
export const MIRROR_KINDS: readonly MirrorKind[] = [
  'bundle/http',
  'bundle/torrent-magnet',
  'bundle/torrent',
  'fetch/git',
  'fetch/http',
]

/** `gittorrent.<url>.secretFile`. */
export interface SecretScope {
  /** As it was written. */
  readonly url: string
  /** Absolute; null: no secret there. */
  readonly file: string | null
}

export interface Settings {
  /** Where to accept peers; null when nothing was said (the net room decides). */
  readonly listen: HostPort | null
  /** False: who clones and fetches takes no connections meanwhile (`listen` is `none`). */
  readonly isListenAllowed: boolean
  readonly peers: readonly HostPort[]
  readonly trackers: readonly string[]
  /** Null when nothing was said; an empty list means none. */
  readonly dhtBootstrap: readonly HostPort[] | null
  readonly dht: boolean
  readonly lsd: boolean
  /** The user asked for local service discovery in so many words: then private origins may use it, too. */
  readonly isLsdAsked: boolean
  /** Ask connected peers for others, and tell them of those that are here. */
  readonly gossip: boolean
  /** File in which peers are remembered between runs; null if none. */
  readonly peerMemory: string | null
  /** Folder in which manifests of web seeds are kept between runs; null if none. */
  readonly manifestFolder: string | null
  readonly webseeds: readonly string[]
  /** Public keys (64 digits) or their ids (40): who may have signed the manifest of a web seed; empty: anybody. */
  readonly webseedKeys: readonly string[]
  /** File with the secret that all peers share, absolute; null: peers are anybody. */
  readonly secretFile: string | null
  /** The same for what is at or below a URL, oldest first; they go before `secretFile`. */
  readonly secretScopes: readonly SecretScope[]
  /** Follow what the origin says under refs/mirrors/. */
  readonly mirrors: boolean
  /** Kinds of mirrors that may be used, in the user's order. */
  readonly mirrorOrder: readonly MirrorKind[]
  /** Bytes per second; null is no limit. */
  readonly uploadLimit: number | null
  readonly downloadLimit: number | null
  /** When the closing line with the share from peers is printed; auto is always but under -q. */
  readonly summary: 'auto' | 'always' | 'never'
  /** Hand finished clones and fetches to the daemon. */
  readonly seed: boolean
  /** Folder of the daemon's list and socket; null for the usual one. */
  readonly home: string | null
}

/** How a seeder or daemon is a web seed besides. */
export interface HttpSettings {
  /** Where it listens; null: it is none. */
  readonly listen: HostPort | null
  /** What that address is to others, behind a reverse proxy say; null: what it is here. */
  readonly url: string | null
  /** Shows repositories that are not public at an address that strangers may reach. */
  readonly showsPrivate: boolean
}

/** What only the daemon uses. */
export interface DaemonSettings {
  /** Where an embedded tracker listens; null for none. */
  readonly trackerListen: HostPort | null
  /** URLs of the origins about which peers may meet at that tracker; empty: about anything. */
  readonly trackerOrigins: readonly string[]
  /** Bytes that segment stores of all repositories together may take before nothing new is built; null is no limit. */
  readonly diskLimit: number | null
  readonly repositoryLimit: number
  /** Folders in which repositories with `git-daemon-export-ok` are looked for. */
  readonly roots: readonly string[]
  /** URL under which those folders are served, for repositories that name no origin; null if none. */
  readonly rootUrl: string | null
  /** Seconds between two looks at all repositories. */
  readonly pollIntervalS: number
  /** Build and offer snapshots of repositories whose own configuration does not say. */
  readonly snapshot: boolean
}

/** Options that every command on the network shares, in the form that node:util's parseArgs takes. */
export const SETTING_OPTIONS = {
  listen: { type: 'string' },
  peer: { type: 'string', multiple: true },
  tracker: { type: 'string', multiple: true },
  'dht-bootstrap': { type: 'string', multiple: true },
  'no-dht': { type: 'boolean' },
  'no-lsd': { type: 'boolean' },
  'no-gossip': { type: 'boolean' },
  'no-mirrors': { type: 'boolean' },
  'no-remember': { type: 'boolean' },
  webseed: { type: 'string', multiple: true },
  'upload-limit': { type: 'string' },
  'download-limit': { type: 'string' },
} as const

/** The same for who may be a web seed himself: `seed` and `daemon`. */
export const HTTP_OPTIONS = {
  http: { type: 'string' },
  'http-url': { type: 'string' },
  'http-private': { type: 'boolean' },
} as const

/** The same for what only the daemon uses. */
export const DAEMON_OPTIONS = {
  'tracker-listen': { type: 'string' },
  'tracker-origin': { type: 'string', multiple: true },
  'disk-limit': { type: 'string' },
  'repository-limit': { type: 'string' },
  root: { type: 'string', multiple: true },
  'root-url': { type: 'string' },
  'poll-interval': { type: 'string' },
  snapshot: { type: 'boolean' },
} as const

export type SettingOptions = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>

/** The raw values of one setting with the name to put into an error. */
interface Given {
  readonly name: string
  readonly values: readonly string[]
}

/** Runs `git config --list -z` in `cwd` (or for `gitDir`) once. Throws git-failed. */
export function readGitConfig(env: Environment, options: { cwd?: string; gitDir?: string } = {}): Promise<GitConfig> {
  const args = [...(options.gitDir === undefined ? [] : [`--git-dir=${options.gitDir}`]), 'config', '--list', '-z']
  const spawnOptions = {
    env: { ...env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    encoding: 'utf8' as const,
    maxBuffer: CONFIG_LENGTH_BYTES_MAX,
    timeout: GIT_COMMAND_TIMEOUT_MS,
  }
  return new Promise((resolve, reject) => {
    execFile('git', args, spawnOptions, (error, stdout, stderr) => {
      if (!error) resolve(parseGitConfig(stdout))
      else {
        const reason = printable(stderr.trim() || error.message)
        reject(new HelperError('git-failed', `cannot read the git configuration: ${reason}`, {}, error))
      }
    })
  })
}

/** Parses the output of `git config --list -z`: key LF value NUL, or key NUL for a variable without a value. */
export function parseGitConfig(text: string): GitConfig {
  const config = new Map<string, string[]>()
  for (const entry of text.split('\0')) {
    if (entry === '') continue
    const newline = entry.indexOf('\n')
    const key = newline < 0 ? entry : entry.slice(0, newline)
    const values = config.get(key)
    const value = newline < 0 ? 'true' : entry.slice(newline + 1)
    if (values) values.push(value)
    else config.set(key, [value])
  }
  return config
}

/** Returns the last value of `key` (section and variable in lower case), or null. */
export function configValue(config: GitConfig, key: string): string | null {
  return config.get(key)?.at(-1) ?? null
}

/** Puts the settings together. Throws setting-malformed, naming key and value. */
export function readSettings(config: GitConfig, env: Environment, options: SettingOptions = {}): Settings {
  const given = (name: string, option: string = kebab(name)) => lookUp(config, env, options, name, option)
  const list = (name: string) => given(name)?.values ?? []
  const hostPorts = (name: string) => given(name)?.values.map((value) => hostPort(name, value, 1)) ?? null
  const listen = given('listen')?.values.at(-1)
  const isRemembered = options['no-remember'] !== true && flag(given('remember'), true)
  const memory = isRemembered ? memoryFolder(given('home')?.values.at(-1) ?? null, env) : null
  return {
    listen: listen === undefined || listen === 'none' ? null : hostPort('listen', listen, 0),
    isListenAllowed: listen !== 'none',
    peers: hostPorts('peer') ?? [],
    trackers: list('tracker').map((value) => urlOf('tracker', value, ['http:', 'https:', 'udp:', 'ws:', 'wss:'])),
    dhtBootstrap: hostPorts('dhtBootstrap'),
    dht: options['no-dht'] === true ? false : flag(given('dht'), true),
    lsd: options['no-lsd'] === true ? false : flag(given('lsd'), true),
    isLsdAsked: options['no-lsd'] !== true && flag(given('lsd'), false),
    gossip: options['no-gossip'] !== true && flag(given('gossip'), true),
    peerMemory: memory === null ? null : join(memory, 'peers'),
    manifestFolder: memory === null ? null : join(memory, 'manifests'),
    webseeds: list('webseed').map((value) => urlOf('webseed', value, ['http:', 'https:'])),
    webseedKeys: list('webseedKey').map((value) => keyOf('webseedKey', value)),
    mirrorOrder: given('mirrorOrder')?.values.map(mirrorKind) ?? MIRROR_KINDS,
    secretFile: secretFileOf(given('secretFile')?.values.at(-1) ?? '', env),
    secretScopes: env.GITTORRENT_SECRET_FILE === undefined ? secretScopesIn(config, env) : [],
    mirrors: options['no-mirrors'] !== true && flag(given('mirrors'), true),
    uploadLimit: byteRate(given('uploadLimit')),
    downloadLimit: byteRate(given('downloadLimit')),
    summary: summaryOf(given('summary')),
    seed: flag(given('seed'), false),
    home: given('home')?.values.at(-1) ?? null,
  }
}

/** Puts together how a seeder is a web seed besides. Throws setting-malformed. */
export function readHttpSettings(config: GitConfig, env: Environment, options: SettingOptions = {}): HttpSettings {
  const given = (name: string, option: string = kebab(name)) => lookUp(config, env, options, name, option)
  const listen = given('http')?.values.at(-1)
  const url = given('httpUrl')?.values.at(-1)
  return {
    listen: listen === undefined ? null : hostPort('http', listen, 0),
    url: url === undefined ? null : urlOf('httpUrl', url, ['http:', 'https:']),
    showsPrivate: flag(given('httpPrivate'), false),
  }
}

/** The daemon's own settings. Throws setting-malformed. */
export function readDaemonSettings(config: GitConfig, env: Environment, options: SettingOptions = {}): DaemonSettings {
  const given = (name: string, option: string = kebab(name)) => lookUp(config, env, options, name, option)
  const trackerListen = given('trackerListen')?.values.at(-1)
  const rootUrl = given('rootUrl')?.values.at(-1)
  return {
    trackerListen: trackerListen === undefined ? null : hostPort('trackerListen', trackerListen, 0),
    trackerOrigins: given('trackerOrigin')?.values ?? [],
    diskLimit: byteRate(given('diskLimit'), 'bytes above 0'),
    repositoryLimit: countOf(given('repositoryLimit'), REPOSITORY_COUNT_DEFAULT),
    roots: given('root')?.values ?? [],
    rootUrl: rootUrl === undefined ? null : urlOf('rootUrl', rootUrl, ['http:', 'https:', 'git:', 'ssh:']),
    pollIntervalS: countOf(given('pollInterval'), POLL_INTERVAL_DEFAULT_S),
    snapshot: flag(given('snapshot'), false),
  }
}

/** Beside the daemon's list (helper/daemon/home.ts); null where nobody is at home. */
function memoryFolder(folder: string | null, env: Environment): string | null {
  const state = env.XDG_STATE_HOME ?? ''
  const home = env.HOME ?? ''
  if (folder !== null) return isAbsolute(folder) ? folder : null
  if (isAbsolute(state)) return join(state, 'gittorrent')
  return isAbsolute(home) ? join(home, '.local', 'state', 'gittorrent') : null
}

function lookUp(
  config: GitConfig,
  env: Environment,
  options: SettingOptions,
  name: string,
  option: string,
): Given | null {
  const fromOption = options[option]
  if (fromOption !== undefined) return bounded(name, [fromOption].flat().map(String))
  const fromEnv = env[`GITTORRENT_${option.toUpperCase().replaceAll('-', '_')}`]
  if (fromEnv !== undefined) return bounded(name, fromEnv.split(/[\s,]+/).filter(Boolean))
  const fromConfig = config.get(`gittorrent.${name.toLowerCase()}`)
  if (fromConfig === undefined) return null
  return bounded(name, fromConfig.slice(fromConfig.lastIndexOf('') + 1))
}

function bounded(name: string, values: readonly string[]): Given {
  if (values.length > SETTING_VALUE_COUNT_MAX) {
    throw refused(name, `${values.length} values`, `at most ${SETTING_VALUE_COUNT_MAX}`)
  }
  return { name, values }
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

function hostPort(name: string, value: string, portMin: number): HostPort {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(value)
  const port = Number(match?.[3])
  const host = match?.[1] ?? match?.[2]
  if (host === undefined || port < portMin || port > 65535) throw refused(name, value, 'host:port')
  return { host, port }
}

function urlOf(name: string, value: string, protocols: readonly string[]): string {
  if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol)) {
    throw refused(name, value, `a URL that starts with ${protocols.map((p) => `${p}//`).join(', ')}`)
  }
  return value
}

/** A public key or its id, in lower case. */
function keyOf(name: string, value: string): string {
  if (!/^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$/.test(value)) throw refused(name, value, '40 or 64 hexadecimal digits')
  return value.toLowerCase()
}

/** An absolute path, or one below the home directory that begins with `~/`, as in git's own settings. */
function secretFileOf(value: string, env: Environment): string | null {
  if (value === '') return null
  const path = value.startsWith('~/') ? join(env.HOME ?? '', value.slice(2)) : value
  if (!isAbsolute(path)) throw refused('secretFile', value, 'an absolute path')
  return path
}

function secretScopesIn(config: GitConfig, env: Environment): SecretScope[] {
  const scopes: SecretScope[] = []
  for (const [key, values] of config) {
    const url = /^gittorrent\.(.+)\.secretfile$/s.exec(key)?.[1]
    if (url !== undefined) scopes.push({ url, file: secretFileOf(values.at(-1) ?? '', env) })
  }
  if (scopes.length > SETTING_VALUE_COUNT_MAX)
    throw refused('<url>.secretFile', `${scopes.length} of them`, `at most ${SETTING_VALUE_COUNT_MAX}`)
  return scopes
}

function mirrorKind(value: string): MirrorKind {
  const kind = MIRROR_KINDS.find((known) => known === value)
  if (kind === undefined) throw refused('mirrorOrder', value, `some of ${MIRROR_KINDS.join(', ')}`)
  return kind
}

/** git's own words for a boolean. */
function flag(given: Given | null, fallback: boolean): boolean {
  const value = given?.values.at(-1)
  if (given === null || value === undefined) return fallback
  if (/^(true|yes|on|1)$/i.test(value)) return true
  if (/^(false|no|off|0)$/i.test(value)) return false
  throw refused(given.name, value, 'true or false')
}

/** Bytes per second with git's k, m and g; 0 is refused, because it would mean a transfer that never ends. */
function byteRate(given: Given | null, expected = 'bytes per second above 0'): number | null {
  const value = given?.values.at(-1)
  if (given === null || value === undefined) return null
  const match = /^(\d{1,12})([kmg]?)$/i.exec(value)
  const factor = 1024 ** ['', 'k', 'm', 'g'].indexOf((match?.[2] ?? '').toLowerCase())
  const rate = Number(match?.[1]) * factor
  if (!match || rate < 1 || !Number.isSafeInteger(rate)) throw refused(given.name, value, expected)
  return rate
}

function countOf(given: Given | null, fallback: number): number {
  const value = given?.values.at(-1)
  if (given === null || value === undefined) return fallback
  if (!/^[1-9]\d{0,5}$/.test(value)) throw refused(given.name, value, 'a number from 1 to 999999')
  return Number(value)
}

function summaryOf(given: Given | null): Settings['summary'] {
  const value = given?.values.at(-1) ?? 'auto'
  if (value === 'auto' || value === 'always' || value === 'never') return value
  throw refused('summary', value, 'auto, always or never')
}

function refused(name: string, value: string, expected: string): HelperError {
  return new HelperError(
    'setting-malformed',
    `cannot use gittorrent.${name}: expected ${expected}, got '${printable(value)}'`,
    { key: `gittorrent.${name}`, value },
  )
}
