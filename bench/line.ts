/**
 * Question: with no peer at all, is a clone from an exported folder as fast as the line?
 * By turns: curl of the bytes that the helper takes from the folder, the helper with that folder, curl of the pack that it made of them
 * into `git index-pack`, git from the origin. One server with `git daemon` and a web server, one machine behind a shaped line, in network
 * namespaces; one branch. Bounds: the bytes on the wire at the speed of the line; and what git takes to index them as they arrive, for it
 * resolves deltas when it has all.
 *   npm run bench:line -- <repository> [--mbit 16,50] [--runs 3]       (root; ip, tc, curl)
 */

import { spawn } from 'node:child_process'
import { copyFile, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type ManifestLink, parseManifest } from '../helper/export/manifest.ts'
import { bytesIn, DemoWorld } from './demo-world.ts'
import { FlashNetwork, type Machine, obstacle } from './flash-network.ts'
import { givenRepository } from './given-repository.ts'
import { about } from './result-file.ts'

const SERVER_BITS = 10e9
const WEB_PORT = 8000
/** Beside what was exported. */
const PACK_NAME = 'clone.pack'
const START_TRIES_MAX = 200
/** Part of the payloads: headers of bundles, which the helper passes over. */
const DIFFERENCE_MAX = 0.01
/** Bytes of what is newer than the newest checkpoint. */
const ORIGIN_LENGTH_MAX = 1_000_000
const USAGE = 'npm run bench:line -- <repository> [--mbit <number>,...] [--runs <number>]'

const { values, positionals } = parseArgs({
  options: { mbit: { type: 'string', default: '16,50' }, runs: { type: 'string', default: '3' } },
  allowPositionals: true,
})
const SPEEDS = values.mbit.split(',').map(Number)
const RUN_COUNT = Number(values.runs)

type WayName = 'curl of the same bytes' | 'helper and web seed' | 'curl into git index-pack' | 'git from the origin'

interface Run {
  readonly way: WayName
  readonly seconds: number
  /** On the wire, headers included. */
  readonly receivedLength: number
  readonly lineUse: number
}

/** What a clone of one branch needs of the folder. */
interface Payloads {
  readonly files: readonly string[]
  /** Bytes of the links, without the manifest and what the .torrent files say of segments. */
  readonly payloadLength: number
}

class LineScene {
  readonly #world: DemoWorld
  readonly #network: FlashNetwork
  readonly #bits: number
  readonly #server: Machine
  readonly #client: Machine

  private constructor(world: DemoWorld, network: FlashNetwork, bits: number, server: Machine, client: Machine) {
    this.#world = world
    this.#network = network
    this.#bits = bits
    this.#server = server
    this.#client = client
  }

  static async open(world: DemoWorld, network: FlashNetwork, bits: number): Promise<LineScene> {
    const server = await network.add({ upBits: SERVER_BITS, downBits: SERVER_BITS })
    const client = await network.add({ upBits: bits, downBits: bits })
    network.introduce()
    const scene = new LineScene(world, network, bits, server, client)
    const web = fileURLToPath(new URL('./swarm-web.js', import.meta.url))
    scene.#start(process.execPath, web, world.folder, server.host, String(WEB_PORT))
    scene.#start('git', 'daemon', '--reuseaddr', '--export-all', `--base-path=${world.folder}`, world.folder)
    await scene.#untilUp('git', 'ls-remote', '--quiet', scene.#origin, 'HEAD')
    await scene.#untilUp('curl', '--silent', '--fail', '--output', '/dev/null', `${scene.#folder}/manifest.json`)
    return scene
  }

  get #origin(): string {
    return `git://${this.#server.host}/origin.git`
  }

  get #folder(): string {
    return `http://${this.#server.host}:${WEB_PORT}/public`
  }

  /** Starts what ends with the network. */
  #start(...command: string[]): void {
    const args = ['netns', 'exec', this.#server.namespace, ...command]
    const { folder, environment } = this.#world
    spawn('ip', args, { stdio: 'ignore', cwd: folder, env: environment }).on('error', () => {})
  }

  async #untilUp(...command: string[]): Promise<void> {
    for (let tries = 0; tries < START_TRIES_MAX; tries++) {
      const isUp = await this.#world.run('ip', ['netns', 'exec', this.#server.namespace, ...command]).then(
        () => true,
        () => false,
      )
      if (isUp) return
    }
    throw new Error(`the server does not answer: ${command.join(' ')}`)
  }

  async #measure(way: WayName, command: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Run> {
    const before = this.#network.receivedLength(this.#client)
    const args = ['netns', 'exec', this.#client.namespace, ...command]
    const { durationMs } = await this.#world.run('ip', args, { environment })
    const receivedLength = this.#network.receivedLength(this.#client) - before
    const seconds = durationMs / 1000
    return { way, seconds, receivedLength, lineUse: (receivedLength * 8) / this.#bits / seconds }
  }

  /** One run of each way. @throws Error unless the helper takes the payloads that curl takes, and little else */
  async round({ files, payloadLength }: Payloads): Promise<Run[]> {
    const urls = files.map((file) => `'${this.#folder}/${file}'`).join(' ')
    const runs = [
      await this.#measure('curl of the same bytes', ['sh', '-c', `curl --silent --fail ${urls} >/dev/null`]),
      await this.#measure('helper and web seed', this.#clone(`gittorrent::${this.#origin}`), {
        GITTORRENT_TRACE: join(this.#world.folder, 'trace'),
      }),
    ]
    const { web, origin } = bytesIn(await readFile(join(this.#world.folder, 'trace'), 'utf8'))
    if (Math.abs(web / payloadLength - 1) > DIFFERENCE_MAX || origin > ORIGIN_LENGTH_MAX)
      throw new Error(`the helper took ${web} bytes of ${payloadLength} from the folder, and ${origin} from the origin`)
    await copyFile(await this.#largestPack(), join(this.#world.folder, 'public', PACK_NAME))
    await this.#clean()
    await this.#world.git('init', '--quiet', '--bare', 'clone.git')
    const indexing = `curl --silent --fail '${this.#folder}/${PACK_NAME}' | git -C clone.git index-pack --stdin >/dev/null`
    runs.push(await this.#measure('curl into git index-pack', ['sh', '-c', indexing]))
    await this.#clean()
    runs.push(await this.#measure('git from the origin', this.#clone(this.#origin)))
    await this.#clean()
    return runs
  }

  #clone(url: string): string[] {
    const settings = ['dht=false', 'lsd=false', 'listen=none', 'summary=never', `webseed=${this.#folder}/manifest.json`]
    const options = settings.flatMap((setting) => ['-c', `gittorrent.${setting}`])
    return ['git', ...options, 'clone', '--quiet', '--bare', '--single-branch', url, 'clone.git']
  }

  /** Of the clone: the one that the links have become. */
  async #largestPack(): Promise<string> {
    const folder = join(this.#world.folder, 'clone.git', 'objects', 'pack')
    const packs = (await readdir(folder)).filter((name) => name.endsWith('.pack')).map((name) => join(folder, name))
    const sized = await Promise.all(packs.map(async (path) => ({ path, length: (await stat(path)).size })))
    const [largest] = sized.sort((a, b) => b.length - a.length)
    if (largest === undefined) throw new Error(`the clone has no pack in ${folder}`)
    return largest.path
  }

  async #clean(): Promise<void> {
    for (const name of ['clone.git', 'trace'])
      await rm(join(this.#world.folder, name), { recursive: true, force: true })
  }
}

async function payloadsOf(world: DemoWorld): Promise<Payloads> {
  const { chains } = parseManifest(await readFile(join(world.folder, 'public', 'manifest.json')))
  const head = await world.git('-C', 'origin.git', 'symbolic-ref', 'HEAD')
  const links = chains.find(({ ref }) => ref === head)?.links
  if (links === undefined) throw new Error('the main line has no links')
  const payloadLength = links.reduce((sum, { bytes }) => sum + bytes, 0)
  const filesOf = ({ file, segments }: ManifestLink): string[] =>
    segments === null ? [`${file}.torrent`, file] : [file]
  return { files: ['manifest.json', ...links.flatMap(filesOf)], payloadLength }
}

function print(mbit: number, runs: readonly Run[]): void {
  const medianOf = (numbers: readonly number[]): number =>
    [...numbers].sort((a, b) => a - b)[(numbers.length - 1) >> 1] ?? 0
  const of = (way: WayName): readonly Run[] => runs.filter((run) => run.way === way)
  const curl = medianOf(of('curl of the same bytes').map(({ seconds }) => seconds))
  for (const way of new Set(runs.map((run) => run.way))) {
    const all = of(way).map(({ seconds }) => seconds)
    const cells = [
      ...[String(mbit), way, (medianOf(of(way).map(({ receivedLength }) => receivedLength)) / 1e6).toFixed(2)],
      `${medianOf(all).toFixed(2)} (${Math.min(...all).toFixed(2)}–${Math.max(...all).toFixed(2)})`,
      (medianOf(all) / curl).toFixed(2),
      (medianOf(all) - curl).toFixed(2),
      `${(100 * medianOf(of(way).map(({ lineUse }) => lineUse))).toFixed(0)} %`,
    ]
    console.log(`| ${cells.join(' | ')} |`)
  }
}

async function main(): Promise<void> {
  const isSound = SPEEDS.every((speed) => speed > 0) && RUN_COUNT > 0
  const given = givenRepository(isSound ? positionals[0] : undefined, USAGE)
  const why = obstacle(false)
  if (why !== null) throw new Error(why)
  const run = about('line', given.name, [`--mbit ${values.mbit}`, `--runs ${RUN_COUNT}`])
  const world = await DemoWorld.open()
  try {
    await world.git('clone', '--quiet', '--bare', given.gitDir, 'origin.git')
    await world.run('gittorrent', ['export', 'origin.git', '--out', 'public', '--no-snapshot'])
    const payloads = await payloadsOf(world)
    console.log(`# ${run.command}; ${run.machine}, load ${run.load}`)
    console.log(
      '| Mbit/s | way | received, MB | seconds | ÷ curl | − curl, s | line used |\n|---|---|---|---|---|---|---|',
    )
    for (const mbit of SPEEDS) {
      const network = new FlashNetwork()
      process.once('exit', () => network.close())
      try {
        const scene = await LineScene.open(world, network, mbit * 1e6)
        const runs: Run[] = []
        for (let round = 0; round < RUN_COUNT; round++) runs.push(...(await scene.round(payloads)))
        print(mbit, runs)
      } finally {
        network.close()
      }
    }
  } finally {
    await world.close()
  }
}

await main()
