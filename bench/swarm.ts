/**
 * Question: when N machines clone one repository, what does its origin send, and when are all done?
 * Real `git clone`s in network namespaces behind lines shaped by `tc`; the origin's uplink is an eighth of each machine's line.
 * Plain git and git with a bundle list from behind the same uplink wait for lines and not for cores: their crowds run side by
 * side, each with an origin of its own. Lone clones, and crowds of our helper, run alone, one after the other.
 *   npm run bench:swarm -- [repository] [--mbit=16] [--clones=8,16] [--farm=50] [--farm-mbit=6] [--stagger=2] [--runs=1]
 *     [--json=file] [--name=name] [--only=together,staggered,farm,shallow] [--how=plain,bundles,swarm,daemons] [--parallel=160] [--traces=folder]
 * Without a repository: a generated one. Bound and F: see swarm-rows.ts. Needs root, `ip` and `tc`; removes all it made.
 */

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { DemoWorld } from './demo-world.ts'
import { obstacle } from './flash-network.ts'
import { generateRepository } from './generate-repository.ts'
import { givenRepository } from './given-repository.ts'
import { killDescendants } from './process-tree.ts'
import { about, writeResult } from './result-file.ts'
import { closeCrowds, type Outcome, prepareOrigin, runCrowd, type Scenario, type Strategy } from './swarm-crowd.ts'
import { type Kind, type Planned, planOf } from './swarm-plan.ts'
import { rowOf, type SwarmReport, type SwarmRow, tableOf } from './swarm-rows.ts'

/** Commits of the repository that is generated when none is given: about as many bytes as express. */
const GENERATED_COMMIT_COUNT = 6000
/** Commits of what the farm clones: 50 jobs with real work would only measure four cores. */
const FARM_COMMIT_COUNT = 800

const KINDS: readonly Kind[] = ['together', 'staggered', 'farm', 'shallow']
const STRATEGIES: readonly Strategy[] = ['plain', 'bundles', 'swarm', 'daemons']

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    mbit: { type: 'string', default: '16' },
    clones: { type: 'string', default: '8,16' },
    farm: { type: 'string', default: '50' },
    'farm-mbit': { type: 'string', default: '6' },
    stagger: { type: 'string', default: '2' },
    runs: { type: 'string', default: '1' },
    parallel: { type: 'string', default: '160' },
    only: { type: 'string', default: KINDS.join() },
    how: { type: 'string', default: STRATEGIES.join() },
    json: { type: 'string' },
    name: { type: 'string' },
    traces: { type: 'string' },
  },
})
const usage = 'npm run bench:swarm -- [repository] [--mbit=16] [--clones=8,16] [--farm=50] …'
const given = positionals.length === 0 ? null : givenRepository(positionals[0], usage)
const RUN_COUNT = Number(values.runs)
const repository = values.name ?? given?.name ?? 'generated'
const words = process.argv.slice(2).filter((word) => word !== positionals[0] && !/^--(json|name|traces)/.test(word))
const run = about('swarm', given === null ? '' : repository, words)

/** The words of a list that was given, all of them known. */
function chosen<Word extends string>(list: string, known: readonly Word[]): Word[] {
  const words = list.split(',')
  const isKnown = (word: string): word is Word => known.some((candidate) => candidate === word)
  if (words.every(isKnown)) return words
  process.stderr.write(`bench:swarm: expected some of ${known.join(', ')}, got ${list}\n`)
  process.exit(129)
}

const isOurs = (strategy: Strategy): boolean => strategy === 'swarm' || strategy === 'daemons'

/** Outcomes by scenario name and strategy. */
class Outcomes {
  readonly #runs = new Map<string, Outcome[]>()

  async measure(world: DemoWorld, scenario: Scenario, strategy: Strategy): Promise<void> {
    const outcome = await runCrowd(world, scenario, strategy, values.traces ?? null)
    const { makespanSeconds, originLength, failures } = outcome
    const failed = failures.length > 0 ? `, ${failures.length} FAILED: ${failures[0]}` : ''
    const sent = `origin sent ${(originLength / 1e6).toFixed(2)} MB`
    process.stderr.write(`${scenario.name}, ${strategy}: ${makespanSeconds.toFixed(1)} s, ${sent}${failed}\n`)
    const key = `${scenario.name} ${scenario.repository} ${strategy}`
    this.#runs.set(key, [...(this.#runs.get(key) ?? []), outcome])
  }

  of(scenario: Scenario, strategy: Strategy): readonly Outcome[] {
    return this.#runs.get(`${scenario.name} ${scenario.repository} ${strategy}`) ?? []
  }
}

/** Crowds of stock git side by side, those of one repository at a time, as many clones at once as `--parallel` allows. */
async function measureSideBySide(world: DemoWorld, planned: readonly Planned[], outcomes: Outcomes): Promise<void> {
  const crowds = planned.flatMap(({ scenario, strategies }) =>
    strategies.filter((strategy) => !isOurs(strategy)).map((strategy) => ({ scenario, strategy })),
  )
  const waiting = crowds.sort((a, b) => b.scenario.cloneCount - a.scenario.cloneCount)
  for (let [first] = waiting; first !== undefined; [first] = waiting) {
    const { repository } = first.scenario
    let room = Math.max(Number(values.parallel), first.scenario.cloneCount)
    const batch = waiting.filter(({ scenario }) => {
      const fits = scenario.repository === repository && scenario.cloneCount <= room
      if (fits) room -= scenario.cloneCount
      return fits
    })
    for (const crowd of batch) waiting.splice(waiting.indexOf(crowd), 1)
    await Promise.all(batch.map(({ scenario, strategy }) => outcomes.measure(world, scenario, strategy)))
  }
}

function rowsOf(planned: readonly Planned[], outcomes: Outcomes): SwarmRow[] {
  const aloneLength = ({ repository, depth }: Scenario, strategy: Strategy): number | undefined => {
    const lone = planned.find(
      ({ scenario }) => scenario.cloneCount === 1 && scenario.repository === repository && scenario.depth === depth,
    )
    return lone && outcomes.of(lone.scenario, strategy === 'daemons' ? 'swarm' : strategy)[0]?.firstReceivedLength
  }
  return planned.flatMap(({ scenario, strategies }) => {
    const all = strategies.flatMap((strategy) => aloneLength(scenario, strategy) ?? [])
    return strategies.map((strategy) => {
      const lengths = { least: Math.min(...all), own: aloneLength(scenario, strategy) ?? Number.NaN }
      return rowOf(scenario, strategy, outcomes.of(scenario, strategy), lengths)
    })
  })
}

async function measureAll(world: DemoWorld, planned: readonly Planned[]): Promise<void> {
  const names = new Set(planned.map(({ scenario }) => scenario.repository))
  if (names.has('given')) {
    if (given === null)
      await generateRepository(join(world.folder, 'given.git'), { commitCount: GENERATED_COMMIT_COUNT, seed: 7 })
    else await world.git('clone', '--quiet', '--bare', `file://${given.gitDir}`, 'given.git')
  }
  if (names.has('farm'))
    await generateRepository(join(world.folder, 'farm.git'), { commitCount: FARM_COMMIT_COUNT, seed: 8 })
  for (const name of names) await prepareOrigin(world, name)
  process.stderr.write('prepared\n')
  const outcomes = new Outcomes()
  const isLone = ({ scenario }: Planned): boolean => scenario.cloneCount === 1
  for (const { scenario, strategies } of planned.filter(isLone)) {
    for (const strategy of strategies) await outcomes.measure(world, scenario, strategy)
  }
  const crowds = planned.filter((one) => !isLone(one))
  await measureSideBySide(world, crowds, outcomes)
  for (let run = 0; run < RUN_COUNT; run++) {
    for (const { scenario, strategies } of crowds) {
      for (const strategy of strategies.filter(isOurs)) await outcomes.measure(world, scenario, strategy)
    }
  }
  const rows = rowsOf(planned, outcomes)
  const report: SwarmReport = { ...run, bench: 'swarm', repository, rows }
  if (values.json === undefined) process.stdout.write(`${JSON.stringify(report, null, 1)}\n`)
  else writeResult(values.json, report)
  process.stdout.write(tableOf(rows))
  if (rows.some(({ failures }) => failures.length > 0)) process.exitCode = 1
}

async function main(): Promise<void> {
  const planned = planOf({
    kinds: chosen(values.only, KINDS),
    strategies: chosen(values.how, STRATEGIES),
    cloneCounts: values.clones.split(',').map(Number),
    staggerSeconds: Number(values.stagger),
    jobCount: Number(values.farm),
    uplinkBits: Number(values.mbit) * 1e6,
    farmUplinkBits: Number(values['farm-mbit']) * 1e6,
  })
  const impossible = obstacle(false)
  if (impossible !== null) {
    process.stderr.write(`bench:swarm: ${impossible}; nothing was measured\n`)
    return
  }
  const world = await DemoWorld.open()
  const cleanUp = (): void => {
    killDescendants()
    closeCrowds()
    rmSync(world.folder, { recursive: true, force: true, maxRetries: 5 })
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // Not once: a second signal must not end us in the middle of it.
    process.on(signal, () => {
      cleanUp()
      process.exit(130)
    })
  }
  try {
    await measureAll(world, planned)
  } finally {
    cleanUp()
  }
}

await main()
