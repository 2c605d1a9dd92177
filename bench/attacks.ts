/**
 * Question: how much longer does a clone take with attackers than without? For each attack, a clone with the honest seeder
 * alone and one with the attackers named before it, by turns; every clone is held against the origin. The aim is twice the
 * time, or the origin: where the bytes came from is in the table.
 *
 *   npm run bench:attacks [-- repository] [--rounds 3] [--only part of a name] [--json file]
 *
 * Without a repository one of 4,000 commits is generated. Everything stays on loopback; the seeder is a process of its own.
 */

import { writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { buildChains, type Chains } from '../helper/build/chains.ts'
import { publicTips } from '../helper/build/history.ts'
import { openRepository } from '../helper/git/repository.ts'
import { topicOf } from '../helper/share/topic.ts'
import { parseOrigin } from '../helper/url.ts'
import { ATTACKS, type Attack, type Ground } from './attackers.ts'
import { type Bytes, DemoWorld } from './demo-world.ts'
import { generateRepository } from './generate-repository.ts'

const COMMIT_COUNT = 4_000
const QUIET = ['gittorrent.dht=false', 'gittorrent.lsd=false']

interface Timing {
  readonly durationMs: number
  readonly bytes: Bytes
}

interface Row {
  readonly attack: string
  readonly withoutMs: readonly number[]
  readonly withMs: readonly number[]
  readonly ratio: number
  /** Bytes of the median clone with attackers. */
  readonly bytes: Bytes
}

function medianOf(timings: readonly Timing[]): Timing {
  const sorted = [...timings].sort((a, b) => a.durationMs - b.durationMs)
  return sorted[sorted.length >> 1] ?? { durationMs: Number.NaN, bytes: { peers: 0, origin: 0, web: 0 } }
}

async function chainsOf(path: string): Promise<Chains> {
  const repository = await openRepository(path)
  return buildChains(repository, await publicTips(repository, 'origin', false))
}

class Scene {
  readonly #world: DemoWorld
  readonly #seeder: string
  readonly #ground: Ground
  #cloneCount = 0

  constructor(world: DemoWorld, seeder: string, ground: Ground) {
    this.#world = world
    this.#seeder = seeder
    this.#ground = ground
  }

  async #clone(settings: readonly string[]): Promise<Timing> {
    const world = this.#world
    const name = `clone-${this.#cloneCount++}`
    const url = `gittorrent::${world.originUrl('origin.git')}`
    const all = [...settings, `gittorrent.peer=${this.#seeder}`, ...QUIET]
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

  async run(attack: Attack, roundCount: number): Promise<Row> {
    const without: Timing[] = []
    const attacked: Timing[] = []
    for (let round = 0; round < roundCount; round++) {
      without.push(await this.#clone([]))
      const attackers = await attack.open(this.#ground)
      try {
        attacked.push(await this.#clone(attackers.settings))
      } finally {
        await attackers.close()
      }
    }
    const median = medianOf(attacked)
    return {
      attack: attack.name,
      withoutMs: without.map(({ durationMs }) => Math.round(durationMs)),
      withMs: attacked.map(({ durationMs }) => Math.round(durationMs)),
      ratio: median.durationMs / medianOf(without).durationMs,
      bytes: median.bytes,
    }
  }
}

function lineOf({ attack, withoutMs, withMs, ratio, bytes }: Row): string {
  const seconds = (all: readonly number[]): string =>
    `${((all.toSorted((a, b) => a - b)[all.length >> 1] ?? 0) / 1000).toFixed(2)} s`
  const share = (100 * bytes.peers) / Math.max(1, bytes.peers + bytes.origin)
  return `| ${attack} | ${seconds(withoutMs)} | ${seconds(withMs)} | ${ratio.toFixed(2)} | ${share.toFixed(0)} % |\n`
}

async function main(): Promise<void> {
  const options = { rounds: { type: 'string' }, only: { type: 'string' }, json: { type: 'string' } } as const
  const { positionals, values } = parseArgs({ allowPositionals: true, options })
  const attacks = ATTACKS.filter(({ name }) => name.includes(values.only ?? ''))
  const world = await DemoWorld.open()
  try {
    const [path] = positionals
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
    const scene = new Scene(world, address, { topic, chains, others })
    const lengths = chains.chains.flatMap(({ links }) => links.map(({ lengthBytes }) => lengthBytes))
    process.stdout.write(
      `${cpus().length} cores, links of ${lengths.reduce((sum, length) => sum + length, 0)} bytes\n\n`,
    )
    process.stdout.write('| attack | without | with | ratio | from peers |\n|---|---|---|---|---|\n')
    const rows: Row[] = []
    for (const attack of attacks) {
      const row = await scene.run(attack, Number(values.rounds ?? 3))
      rows.push(row)
      process.stdout.write(lineOf(row))
    }
    if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(rows, null, 2)}\n`)
    await chains.close()
    await others.close()
  } finally {
    await world.close()
  }
}

await main()
