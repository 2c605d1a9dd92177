/**
 * The story of publishing without a server, walked on machines of their own and checked at every step: no origin anywhere.
 *   npm run walk:publish            (root, for network namespaces; openssl; dnsmasq if it is installed)
 * A publisher, readers, a follower, a liar, the holder of the next key and a domain are namespaces on a bridge without an
 * uplink; 32 DHT nodes with an address each forget records after 20 seconds, and the daemons are told to put them again
 * every 3 (GITTORRENT_TEST_PACE_S). Prints each check; the last line is JSON. Exit status 1 if one fails.
 */
import { cpSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PublicationStatus } from '../helper/daemon/publication-status.ts'
import type { DaemonStatus } from '../helper/daemon/status.ts'
import { repositorySalt } from '../helper/publish/names.ts'
import { itemTarget } from '../net/index.ts'
import { obstacle } from './flash-network.ts'
import { generateRepository } from './generate-repository.ts'
import { check, open, results, until } from './walk-checks.ts'
import { DOMAIN, startDomain } from './walk-domain.ts'
import { type Outcome, type WalkMachine, WalkMachines } from './walk-machines.ts'

const NODE_COUNT = 32
const ITEM_AGE_MS = 20_000
const PACE_S = 3
const COMMIT_COUNT = 400
const HERE = dirname(fileURLToPath(import.meta.url))

interface Key {
  readonly id: string
  readonly publicKey: string
}

/** Everything that the scenes share. */
class Walk {
  readonly machines = new WalkMachines({ GITTORRENT_TEST_PACE_S: String(PACE_S) })
  #bootstrap = ''
  #ask: (line: string) => Promise<string> = async () => ''

  async machine(name: string, ...settings: string[]): Promise<WalkMachine> {
    const machine = await this.machines.add(name)
    machine.configure([`gittorrent.dhtBootstrap=${this.#bootstrap}`, 'gittorrent.lsd=false', ...settings])
    return machine
  }

  async startDht(): Promise<void> {
    const nodes = await this.machines.add('nodes')
    const script = join(HERE, 'walk-nodes.js')
    const numbers = [String(NODE_COUNT), String(ITEM_AGE_MS)]
    const { child, said } = await nodes.start(/ready \S+\n/, process.execPath, script, '10.99.1.1', ...numbers)
    this.#bootstrap = /ready (\S+)\n/.exec(said)?.[1] ?? ''
    this.#ask = (line) =>
      new Promise((resolve) => {
        child.stdout?.once('data', (bytes: Uint8Array) => resolve(Buffer.from(bytes).toString()))
        child.stdin?.write(`${line}\n`)
      })
  }

  /** The newest seq of a record in the DHT, null if the nodes have none. */
  async seqInDht(key: Key, name: string): Promise<number | null> {
    const salt = repositorySalt(name)
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
    const answer = await this.#ask(`${hex(itemTarget(Buffer.from(key.publicKey, 'hex'), salt))} ${hex(salt)}`)
    const [, seq] = /found (\d+)/.exec(answer) ?? []
    return seq === undefined ? null : Number(seq)
  }
}

async function statusOf(machine: WalkMachine, name: string): Promise<PublicationStatus | undefined> {
  const status: DaemonStatus = JSON.parse(await machine.run('gittorrent', 'status', '--json'))
  return status.publications.find((publication) => publication.name === name)
}

const startDaemon = (machine: WalkMachine, ...options: string[]): Promise<unknown> =>
  machine.start(/seeding on/, 'gittorrent', 'daemon', '--listen', `${machine.host}:7001`, ...options)

async function keygen(machine: WalkMachine): Promise<Key> {
  const [key] = JSON.parse(await machine.run('gittorrent', 'keygen', '--json'))
  return key
}

async function commit(machine: WalkMachine, directory: string, text: string): Promise<string> {
  writeFileSync(join(machine.home, directory, 'NEWS'), `${text}\n`)
  await machine.run('git', '-C', directory, 'add', 'NEWS')
  await machine.run('git', '-C', directory, 'commit', '--quiet', '-m', text)
  return machine.run('git', '-C', directory, 'rev-parse', 'HEAD')
}

async function refsOf(machine: WalkMachine, directory: string): Promise<string> {
  return machine.run(
    'git',
    '-C',
    directory,
    'for-each-ref',
    '--format=%(objectname) %(refname)',
    'refs/heads',
    'refs/tags',
  )
}

async function checkClone(machine: WalkMachine, url: string, directory: string, refs: string): Promise<void> {
  const cloned = await machine.outcome('git', 'clone', '--quiet', '--mirror', url, directory)
  check(`git clone ${url.slice(0, 30)}… ends well`, cloned.status === 0, cloned.stderr)
  if (cloned.status !== 0) return
  check('it has the refs that were published', (await refsOf(machine, directory)) === refs)
  const fsck = await machine.outcome('git', '-C', directory, 'fsck', '--full', '--no-progress')
  check('git fsck is clean', fsck.status === 0, fsck.stderr)
}

interface Cast {
  readonly publisher: WalkMachine
  readonly reader: WalkMachine
  readonly follower: WalkMachine
  readonly vault: WalkMachine
  readonly key: Key
  readonly next: Key
  readonly url: string
}

async function publishes(walk: Walk): Promise<Cast> {
  open('Publish: a daemon, a key, and no server')
  const publisher = await walk.machine('publisher')
  const reader = await walk.machine('reader')
  const follower = await walk.machine('follower')
  const vault = await walk.machine('vault')
  const [key, next] = [await keygen(publisher), await keygen(vault)]
  await generateRepository(join(publisher.home, 'project'), { commitCount: COMMIT_COUNT, seed: 1 })
  await generateRepository(join(publisher.home, 'orphan'), { commitCount: 30, seed: 2 })
  await startDaemon(publisher)
  // The next key is named while it lies here; then it goes where it belongs.
  const backup = await vault.run('gittorrent', 'keys', 'export', next.id)
  writeFileSync(join(publisher.home, 'backup'), backup)
  await publisher.run('gittorrent', 'keys', 'import', 'backup')
  const options = ['--key', key.id, '--next', next.id, '--once', '--json', '--listen', `${publisher.host}:0`]
  const published = JSON.parse(await publisher.run('gittorrent', 'publish', 'project', ...options))
  await publisher.run('gittorrent', 'publish', 'orphan', ...options)
  await publisher.run('rm', '-f', 'backup', `.local/share/gittorrent/keys/${next.id}.key`)
  check(`DHT nodes took the record (${published.nodes})`, published.nodes > 0)
  await until(
    'the daemon to serve',
    () => statusOf(publisher, 'project'),
    (found) => found?.state === 'serving',
  )
  return { publisher, reader, follower, vault, key, next, url: `gittorrent://${key.id}/project` }
}

async function clonesAndFetches({ publisher, reader, url }: Cast): Promise<void> {
  open('Clone by key, push an update, fetch it')
  await checkClone(reader, url, 'mirror.git', await refsOf(publisher, 'project'))
  await reader.run('git', 'clone', '--quiet', url, 'clone')
  await publisher.run('git', 'clone', '--quiet', url, 'work')
  const tip = await commit(publisher, 'work', 'an update')
  const pushed = await publisher.outcome('git', '-C', 'work', 'push', '--quiet', 'origin', 'HEAD')
  check('git push to the own key', pushed.status === 0, pushed.stderr)
  const fetched = await reader.outcome('git', '-C', 'clone', 'pull', '--quiet', '--ff-only')
  check('git pull brings it', (await reader.run('git', '-C', 'clone', 'rev-parse', 'HEAD')) === tip, fetched.stderr)
  await commit(reader, 'clone', 'an intrusion')
  const refused = await reader.outcome('git', '-C', 'clone', 'push', '--quiet', 'origin', 'HEAD')
  check(
    'a push by somebody else is refused',
    refused.status !== 0 && /is not yours/.test(refused.stderr),
    refused.stderr,
  )
  await reader.run('git', '-C', 'clone', 'reset', '--quiet', '--hard', 'HEAD~1')
}

/** What git was told of success for is there afterwards, whichever machine was faster. */
async function pushesFromTwo(walk: Walk, { publisher, reader, key, url }: Cast): Promise<void> {
  open('Two machines with one key push at the same moment')
  const office = await walk.machine('office')
  writeFileSync(join(office.home, 'backup'), await publisher.run('gittorrent', 'keys', 'export', key.id))
  await office.run('gittorrent', 'keys', 'import', 'backup')
  await startDaemon(office)
  await office.run('git', 'clone', '--quiet', url, 'work')
  await commit(publisher, 'work', 'from the one machine')
  await commit(office, 'work', 'from the other machine')
  const push = (machine: WalkMachine, branch: string): Promise<Outcome> =>
    machine.outcome('git', '-C', 'work', 'push', '--quiet', 'origin', `HEAD:refs/heads/${branch}`)
  const outcomes = await Promise.all([push(publisher, 'one'), push(office, 'two')])
  const said = outcomes.map(({ status, stderr }) => `${status} ${stderr.trim()}`).join('\n')
  const isTold = ({ status, stderr }: Outcome): boolean => status === 0 || /another machine|push again/.test(stderr)
  check('one of them at least succeeds, and the other is told in a line if it does not', outcomes.every(isTold), said)
  check(
    'not both are refused',
    outcomes.some(({ status }) => status === 0),
    said,
  )
  if (outcomes[0]?.status !== 0)
    await publisher.run('git', '-C', 'work', 'push', '--quiet', 'origin', 'HEAD:refs/heads/one')
  if (outcomes[1]?.status !== 0)
    await office.run('git', '-C', 'work', 'push', '--quiet', 'origin', 'HEAD:refs/heads/two')
  const tips = [
    await publisher.run('git', '-C', 'work', 'rev-parse', 'HEAD'),
    await office.run('git', '-C', 'work', 'rev-parse', 'HEAD'),
  ]
  const { stdout } = await reader.outcome('git', 'ls-remote', url, 'refs/heads/one', 'refs/heads/two')
  check(
    'after that both pushes are there',
    tips.every((tip) => stdout.includes(tip)),
    stdout,
  )
  const seq = (await statusOf(office, 'project'))?.seq ?? 0
  await until(
    "the publisher's daemon to hold the newest",
    () => statusOf(publisher, 'project'),
    (found) => (found?.seq ?? 0) >= seq,
  )
  await office.stop()
  await publisher.run('git', '-C', 'work', 'push', '--quiet', 'origin', 'HEAD')
}

async function follows(walk: Walk, { publisher, follower, url }: Cast): Promise<WalkMachine> {
  open('Follow: another daemon keeps it, without the key')
  await startDaemon(follower)
  await follower.run('gittorrent', 'add', url)
  const status = await until(
    'the follower to hold it',
    () => statusOf(follower, 'project'),
    (found) => found?.state === 'serving' && found.holders !== null,
  )
  check(`it holds seq ${status?.seq}, as ${status?.holders?.current} others do`, status?.holders?.current === 1)
  // What an attacker would keep: everything as it is now, to be shown after it has become old.
  const liar = await walk.machine('liar', 'gittorrent.dht=false')
  cpSync(follower.home, liar.home, {
    recursive: true,
    filter: (path) => !path.endsWith('.sock') && !path.endsWith('.gitconfig'),
  })
  const tip = await commit(publisher, 'work', 'after the copy')
  await publisher.run('git', '-C', 'work', 'push', '--quiet', 'origin', 'HEAD')
  const seq = (await statusOf(publisher, 'project'))?.seq
  await until(
    'the follower to hear of it',
    () => statusOf(follower, 'project'),
    (found) => found?.seq === seq,
  )
  check(`an update (${tip.slice(0, 8)}) reaches the follower by itself`, true)
  return liar
}

async function refusesRollback({ reader, url }: Cast, liar: WalkMachine): Promise<void> {
  open('Rollback: somebody shows the past, genuinely signed')
  await reader.run('git', '-C', 'clone', 'pull', '--quiet', '--ff-only')
  const before = await refsOf(reader, 'clone')
  await startDaemon(liar)
  const only = ['-c', 'gittorrent.dht=false', '-c', `gittorrent.peer=${liar.host}:7001`]
  const said = await reader.outcome('git', ...only, '-C', 'clone', 'fetch')
  check('the reader says so', /is older than seq \d+ seen before; what was seen stands/.test(said.stderr), said.stderr)
  check('no ref goes back', (await refsOf(reader, 'clone')) === before)
  const { stdout } = await reader.outcome('git', ...only, 'ls-remote', url, 'HEAD')
  check('HEAD is the newest that was seen', stdout.startsWith(before.slice(0, 40)))
}

async function survives(walk: Walk, { publisher, key, url }: Cast): Promise<void> {
  open('Loss of the publisher, for longer than records live')
  const refs = await refsOf(publisher, 'work')
  await publisher.stop('SIGKILL')
  const goneAtMs = Date.now()
  await until(
    'the record of the orphan to be forgotten',
    () => walk.seqInDht(key, 'orphan'),
    (seq) => seq === null,
  )
  await until(
    'twice the life of a record',
    async () => Date.now() - goneAtMs,
    (ms) => ms > 2 * ITEM_AGE_MS,
  )
  check(`after ${Math.round((Date.now() - goneAtMs) / 1000)} s what nobody follows is forgotten`, true)
  check('what is followed is there', (await walk.seqInDht(key, 'project')) !== null)
  const newcomer = await walk.machine('newcomer')
  const cloned = await newcomer.outcome('git', 'clone', '--quiet', url, 'clone')
  check('a newcomer clones it from the follower alone', cloned.status === 0, cloned.stderr)
  check('it is the newest', (await newcomer.run('git', '-C', 'clone', 'rev-parse', 'HEAD')) === refs.slice(0, 40))
  const orphan = await newcomer.outcome('git', 'clone', '--quiet', url.replace('project', 'orphan'), 'none')
  check(
    'the orphan ends with a sentence',
    orphan.status !== 0 && /fatal: .*expected/.test(orphan.stderr),
    orphan.stderr,
  )
}

async function rotates(walk: Walk, { reader, follower, vault, key, next, url }: Cast): Promise<void> {
  open('Loss of the key: the next one, named in advance, takes over')
  await vault.run('git', 'clone', '--quiet', url, 'saved')
  const tip = await commit(vault, 'saved', 'after the loss')
  await startDaemon(vault)
  const options = ['--name', 'project', '--key', next.id, '--succeeds', key.publicKey, '--revoke', '--once']
  await vault.run('gittorrent', 'publish', 'saved', ...options, '--listen', `${vault.host}:0`)
  const fetched = await reader.outcome('git', '-C', 'clone', 'fetch')
  check(
    'a reader of the old URL is told',
    fetched.stderr.includes(`was revoked by its holder: ${next.id} follows it`),
    fetched.stderr,
  )
  check('and has the new commit', (await reader.run('git', '-C', 'clone', 'rev-parse', 'origin/main')) === tip)
  await until(
    'the follower to go on with the new key',
    () => statusOf(follower, 'project'),
    (found) => found?.signer === next.id,
  )
  await vault.stop('SIGKILL')
  const late = await walk.machine('late')
  const cloned = await late.outcome('git', 'clone', '--quiet', url, 'clone')
  check('the follower alone leads newcomers from the old URL to the new key', cloned.status === 0, cloned.stderr)
  check('and to the new commit', (await late.run('git', '-C', 'clone', 'rev-parse', 'HEAD')) === tip)
}

async function resolvesNames(walk: Walk, { key, next }: Cast): Promise<void> {
  open('Names: a DNS server and an HTTPS server')
  const domain = await walk.machine('domain')
  const say = await startDomain(domain, key)
  const namer = await walk.machine(
    'namer',
    `gittorrent.dnsServer=${domain.host}:53`,
    `http.sslCAInfo=${join(domain.home, 'site.pem')}`,
  )
  walk.machines.setResolver(namer, domain.host)
  const resolved = await namer.outcome('gittorrent', 'resolve', `@${DOMAIN}`, '--json')
  const answer: { key?: string; steps?: { way: string; key: string | null }[] } = JSON.parse(resolved.stdout || '{}')
  const ways = (answer.steps ?? []).filter((step) => step.key === key.id).map(({ way }) => way)
  check(
    'DNS and the web server name the key',
    answer.key === key.id && ways.join() === 'dns,well-known',
    resolved.stdout,
  )
  const cloned: Outcome = await namer.outcome('git', 'clone', '--quiet', `gittorrent://@${DOMAIN}/project`, 'clone')
  check(`git clone gittorrent://@${DOMAIN}/project`, cloned.status === 0, cloned.stderr)
  await say(`key ${next.id}`)
  const conflict = await namer.outcome('git', 'ls-remote', `gittorrent://@${DOMAIN}/project`)
  check(
    'answers that differ are an error',
    conflict.status !== 0 && /expected one key, got/.test(conflict.stderr),
    conflict.stderr,
  )
  await namer.run('gittorrent', 'petname', 'friend', key.id)
  const petname = await namer.outcome('git', 'ls-remote', 'gittorrent://friend/project', 'HEAD')
  check('a petname needs neither', petname.status === 0 && petname.stdout !== '', petname.stderr)
}

async function main(): Promise<void> {
  const why = obstacle(false)
  if (why !== null) throw new Error(`walk: ${why}`)
  const startedMs = performance.now()
  const walk = new Walk()
  const end = (): void => void walk.machines.close().then(() => process.exit(130))
  process.once('SIGINT', end)
  process.once('SIGTERM', end)
  try {
    await walk.startDht()
    const cast = await publishes(walk)
    await clonesAndFetches(cast)
    await pushesFromTwo(walk, cast)
    const liar = await follows(walk, cast)
    await refusesRollback(cast, liar)
    await survives(walk, cast)
    await rotates(walk, cast)
    await resolvesNames(walk, cast)
  } finally {
    await walk.machines.close()
  }
  const failed = results.filter(({ holds }) => !holds)
  const seconds = Math.round((performance.now() - startedMs) / 1000)
  process.stdout.write(failed.length === 0 ? `\nAll ${results.length} checks passed in ${seconds} s.\n` : '\nFailed.\n')
  process.stdout.write(
    `${JSON.stringify({ checks: results.length, failed, seconds, nodes: NODE_COUNT, itemAgeMs: ITEM_AGE_MS })}\n`,
  )
  if (failed.length > 0) process.exitCode = 1
}

try {
  await main()
} catch (error) {
  process.stderr.write(`fatal: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
