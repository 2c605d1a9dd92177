/**
 * Mistakes in the configuration that raise no error anywhere: names that nothing reads, settings that cancel each other.
 */
import {
  configValue,
  DAEMON_OPTIONS,
  type Environment,
  type GitConfig,
  HTTP_OPTIONS,
  SETTING_OPTIONS,
  type Settings,
} from '../config.ts'
import { printable } from '../errors.ts'
import { type Finding, finding } from './finding.ts'

/** Variables that are settings without being options of a command. */
const FURTHER_NAMES = [
  ...['dht', 'lsd', 'gossip', 'remember', 'summary', 'seed', 'home', 'mirrors', 'names'],
  ...['allowedkey', 'bitcoinrpc', 'dnsserver'],
  ...['requiresigned', 'trustedcommit', 'webseedkey', 'secretfile', 'trackerorigin', 'mirrororder'],
]

/** Looks at one user's configuration; a single "ok" when nothing is wrong. */
export function configurationFindings(
  config: GitConfig,
  env: Environment,
  settings: Settings,
  hasDaemon: boolean,
): Finding[] {
  const found = [
    ...unknownNames(config),
    ...unknownVariables(env),
    ...rewrites(config),
    ...lfsMistakes(config),
    ...protocolMistakes(config),
    ...seedMistakes(settings, hasDaemon),
  ]
  return found.length === 0 ? [finding('configuration', 'ok', 'no mistakes found')] : found
}

/** Known names in lower case without hyphens: `dht-bootstrap` is gittorrent.dhtBootstrap. */
function knownNames(): Set<string> {
  const options = [SETTING_OPTIONS, HTTP_OPTIONS, DAEMON_OPTIONS]
    .flatMap((group) => Object.keys(group))
    .filter((name) => !name.startsWith('no-'))
  return new Set([...options, ...FURTHER_NAMES].map((name) => name.replaceAll('-', '')))
}

/** Variables that the manual does not name. */
export function unknownNames(config: GitConfig): Finding[] {
  const known = knownNames()
  return [...config.keys()]
    .filter((key) => key.startsWith('gittorrent.') && !known.has(key.slice('gittorrent.'.length)))
    .map((key) => finding('configuration', 'warning', `${printable(key)} is no setting`, '`gittorrent help settings`'))
}

function unknownVariables(env: Environment): Finding[] {
  const known = new Set([...knownNames(), 'trace', 'origins', 'data', 'passphrase'])
  return Object.keys(env)
    .filter((name) => name.startsWith('GITTORRENT_'))
    .filter((name) => !known.has(name.slice('GITTORRENT_'.length).toLowerCase().replaceAll('_', '')))
    .map((name) => finding('environment', 'warning', `${printable(name)} is no setting`, '`gittorrent help settings`'))
}

/** `url."gittorrent::https://host/".insteadOf` works only with the same text on both sides. */
function rewrites(config: GitConfig): Finding[] {
  const found: Finding[] = []
  for (const [key, values] of config) {
    const target = /^url\.gittorrent::(?:lfs=)?(.*)\.(?:push)?insteadof$/s.exec(key)?.[1]
    for (const value of target === undefined ? [] : values) {
      if (value === target) continue
      const text = `insteadOf replaces '${printable(value)}' by the other '${printable(target ?? '')}'`
      found.push(finding('configuration', 'warning', text, 'the same URL behind gittorrent:: and in insteadOf'))
    }
  }
  return found
}

/** git-lfs makes its endpoint of what insteadOf makes of a URL, and knows no gittorrent:: ones (helper/url.ts). */
function lfsMistakes(config: GitConfig): Finding[] {
  if (configValue(config, 'filter.lfs.process') === null && configValue(config, 'filter.lfs.smudge') === null) return []
  return [...config.keys()].flatMap((key) => {
    const target = /^url\.gittorrent::(https?:.*)\.insteadof$/s.exec(key)?.[1]
    if (target === undefined) return []
    const text = `git-lfs cannot use what insteadOf makes of '${printable(target)}'`
    return [finding('configuration', 'warning', text, `url."gittorrent::lfs=${printable(target)}".insteadOf`)]
  })
}

function protocolMistakes(config: GitConfig): Finding[] {
  const found: Finding[] = []
  const version = configValue(config, 'protocol.version')
  if (version === '0' || version === '1') {
    const text = `protocol.version=${version}: only http and https use the swarm`
    found.push(finding('configuration', 'warning', text, '`git config --global --unset protocol.version`'))
  }
  const allowed = configValue(config, 'protocol.gittorrent.allow') ?? configValue(config, 'protocol.allow')
  if (allowed === 'never') {
    const text = 'protocol.allow forbids gittorrent URLs'
    found.push(finding('configuration', 'failure', text, '`git config --global protocol.gittorrent.allow always`'))
  }
  const isAdopted = [...config.keys()].some((key) => /^url\.gittorrent::.*\.insteadof$/s.test(key))
  if (isAdopted && allowed !== 'always' && allowed !== 'never') {
    const text = 'submodules behind insteadOf are refused by git'
    found.push(finding('configuration', 'warning', text, '`git config --global protocol.gittorrent.allow always`'))
  }
  return found
}

function seedMistakes({ seed }: Settings, hasDaemon: boolean): Finding[] {
  if (!seed || hasDaemon) return []
  return [finding('configuration', 'warning', 'gittorrent.seed is set, but no daemon runs', '`gittorrent daemon`')]
}
