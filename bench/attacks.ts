/**
 * Question: how much longer does a clone take with attackers than without? By turns a clone from the honest seeder alone, one with
 * the attackers named before it, one without any peer, and one with the attackers alone; every clone is held against the origin. An attack
 * is withstood if the clone takes at most twice the time that it takes without it, or has most of a whole clone's bytes from the origin.
 *
 *   npm run bench:attacks [-- repository] [--rounds 3] [--only part of a name] [--json file]
 *
 * Without a repository one of 4,000 commits is generated. Everything stays on loopback; the seeder is a process of its own. Exit status 1
 * if an attack is not withstood. A result file keeps what it has of other attacks.
 */

import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { buildChains, type Chains } from '../helper/build/chains.ts'
import { publicTips } from '../helper/build/history.ts'
import { openRepository } from '../helper/git/repository.ts'
import { topicOf } from '../helper/share/topic.ts'
import { parseOrigin } from '../helper/url.ts'
import { ATTACKS, type Attack, CROWDS, type Ground } from './attackers.ts'
import { type Bytes, DemoWorld } from './demo-world.ts'
import { generateRepository } from './generate-repository.ts'
import { ratios, type Spread, spread } from './measure.ts'
import { type About, about, repositoryName, writeResult } from './result-file.ts'

const COMMIT_COUNT = 4_000
const RATIO_MAX = 2
const QUIET = ['gittorrent.dht=false', 'gittorrent.lsd=false']

interface Timing {
  readonly durationMs: number
  readonly bytes: Bytes
}

/** Clones without and with attackers, by turns. */
interface Scene {
  readonly withoutMs: Spread
  readonly withMs: Spread
  /** Of each round. */
  readonly ratio: Spread
  /** Of all clones with attackers: bytes from peers, whatever became of them, in percent of those from peers and the origin. */
  readonly percentFromPeers: number
  /** In at most twice the time, or from the origin. */
  readonly isWithstood: boolean
}

interface Row {
  readonly attack: string
  readonly besideHonest: Scene
  readonly alone: Scene
}

/** What bench:attacks writes. */
export interface AttacksReport extends About {
  readonly bench: 'attacks'
  /** Bytes of all links. */
  readonly lengthBytes: number
  readonly rows: readonly Row[]
}

/** @param whole clones that have all their bytes from the origin */
function sceneOf(without: readonly Timing[], attacked: readonly Timing[], whole: readonly Timing[]): Scene {
  const msOf = (timings: readonly Timing[]): number[] => timings.map(({ durationMs }) => durationMs)
  const sum = (of: readonly Timing[], part: keyof Bytes): number => of.reduce((all, { bytes }) => all + bytes[part], 0)
  const ratio = ratios(msOf(attacked), msOf(without))
  const fromPeers = sum(attacked, 'peers')
  const fromOrigin = sum(attacked, 'origin')
  return {
    withoutMs: spread(msOf(without), 0),
    withMs: spread(msOf(attacked), 0),
    ratio,
    percentFromPeers: Math.round((100 * fromPeers) / Math.max(1, fromPeers + fromOrigin)),
    isWithstood: ratio.median <= RATIO_MAX || fromOrigin > sum(whole, 'origin') / 2,
  }
}

async function chainsOf(path: string): Promise<Chains> {
  const repository = await openRepository(path)
  return buildChains(repository, await publicTips(repository, 'origin', false))
}

class Cloner {
  readonly #world: DemoWorld
  #cloneCount = 0

  constructor(world: DemoWorld) {
    this.#world = world
  }

  /** @throws Error for a clone that is not what the origin has */
  async clone(settings: readonly string[]): Promise<Timing> {
    const world = this.#world
    const name = `clone-${this.#cloneCount++}`
    const url = `gittorrent::${world.originUrl('origin.git')}`
    const all = [...settings, ...QUIET]
    const { durationMs, bytes } = await world.viaSwarm(['clone', '--quiet', '--mirror', url, name], all)
    const objects = (of: string): Promise<string> =>
      world.git('-C', of, 'rev-list', '--objects', '--glob=refs/', '--count')
    const refs = (of: string): Promise<string> => world.git('-C', of, 'for-each-ref')
    const isSame =
      (await refs(name)) === (await refs('origin.git')) && (await objects(name)) === (await objects('origin.git'))
    if (!isSame) throw new Error(`${name}: is not what the origin has`)
    await world.run('rm', ['-r', name])
    return { durationMs, bytes }
  }
}

async function run(attack: Attack, ground: Ground, cloner: Cloner, honest: string, roundCount: number): Promise<Row> {
  const fromHonest: Timing[] = []
  const beside: Timing[] = []
  const fromOrigin: Timing[] = []
  const alone: Timing[] = []
  const naming = [`gittorrent.peer=${honest}`]
  for (let round = 0; round < roundCount; round++) {
    fromHonest.push(await cloner.clone(naming))
    fromOrigin.push(await cloner.clone([]))
    const attackers = await attack.open(ground)
    try {
      beside.push(await cloner.clone([...attackers.settings, ...naming]))
      alone.push(await cloner.clone(attackers.settings))
    } finally {
      await attackers.close()
    }
  }
  return {
    attack: attack.name,
    besideHonest: sceneOf(fromHonest, beside, fromOrigin),
    alone: sceneOf(fromOrigin, alone, fromOrigin),
  }
}

const HEAD = `| attack | beside an honest peer: seconds without, with | ratio | from peers | alone: seconds without, with | withstood |
|---|---|---|---|---|---|
`

function lineOf({ attack, besideHonest, alone }: Row): string {
  const seconds = ({ median }: Spread): string => (median / 1000).toFixed(2)
  const times = ({ withoutMs, withMs }: Scene): string => `${seconds(withoutMs)}, ${seconds(withMs)}`
  const { ratio, percentFromPeers } = besideHonest
  const range = `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)})`
  const verdict = besideHonest.isWithstood && alone.isWithstood ? 'yes' : '**no**'
  return `| ${attack} | ${times(besideHonest)} | ${range} | ${percentFromPeers} % | ${times(alone)} | ${verdict} |\n`
}

/** Rows in the order of the attacks, of which those of `rows` are newer. */
function merged(file: string | undefined, rows: readonly Row[]): Row[] {
  const before = file !== undefined && existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')).rows as Row[]) : []
  return [...ATTACKS, ...CROWDS].flatMap(({ name }) => {
    return [...rows, ...before].find(({ attack }) => attack === name) ?? []
  })
}

async function main(): Promise<void> {
  const options = { rounds: { type: 'string' }, only: { type: 'string' }, json: { type: 'string' } } as const
  const { positionals, values } = parseArgs({ allowPositionals: true, options })
  const attacks = [...ATTACKS, ...CROWDS].filter(({ name }) => name.includes(values.only ?? ''))
  const roundCount = Number(values.rounds ?? 3)
  const [path] = positionals
  const said = about('attacks', path === undefined ? '' : repositoryName(path), ['--rounds', String(roundCount)])
  const world = await DemoWorld.open()
  try {
    if (path === undefined)
      await generateRepository(join(world.folder, 'origin.git'), { commitCount: COMMIT_COUNT, seed: 9 })
    else await world.git('clone', '--quiet', '--mirror', resolve(path), 'origin.git')
    await generateRepository(join(world.folder, 'other.git'), { commitCount: 1_500, seed: 10 })
    await world.startDaemon()
    await world.git('clone', '--quiet', '--mirror', 'origin.git', 'seed.git')
    const { address } = await world.startSeeder('seed.git')
    const chains = await chainsOf(join(world.folder, 'seed.git'))
    const others = await chainsOf(join(world.folder, 'other.git'))
    const topic = topicOf(parseOrigin(world.originUrl('origin.git')))
    const lengths = chains.chains.flatMap(({ links }) => links.map(({ lengthBytes }) => lengthBytes))
    const lengthBytes = lengths.reduce((sum, length) => sum + length, 0)
    process.stdout.write(`${said.machine}, links of ${lengthBytes} bytes\n\n${HEAD}`)
    const cloner = new Cloner(world)
    const rows: Row[] = []
    for (const attack of attacks) {
      const row = await run(attack, { topic, chains, others }, cloner, address, roundCount)
      rows.push(row)
      process.stdout.write(lineOf(row))
    }
    const report = { ...said, bench: 'attacks', lengthBytes, rows: merged(values.json, rows) } satisfies AttacksReport
    writeResult(values.json, report)
    if (rows.some(({ besideHonest, alone }) => !besideHonest.isWithstood || !alone.isWithstood)) process.exitCode = 1
    await chains.close()
    await others.close()
  } finally {
    await world.close()
  }
}

await main()
