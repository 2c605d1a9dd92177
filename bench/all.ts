/**
 * Everything that bench/RESULTS.md and bench/report.html are made of, in one go, on a machine that does nothing else.
 *   npm run bench:all -- <folder of repositories> [--repositories <name>,<name>…] [--minutes 25] [--out bench/results]
 *                        [--only build,clone,rivals,micro,flash,static,swarm,sharing] [--against <dist folder or commit>] [--helia <folder>]
 * The folder holds clones, bare or not: X, X.git or X/repo. Small repositories get five runs, big ones two. When the minutes
 * are over, no further bench starts; the longest come last, and what is not measured keeps its older result. Results are
 * written one by one, and the report is made anew at the end. Sharing, which needs many minutes and no quiet, only if it is named.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type About, about, repositoryName, writeResult } from './result-file.ts'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '25' },
    out: { type: 'string', default: 'bench/results' },
    only: { type: 'string', default: 'build,clone,rivals,micro,flash,static,swarm' },
    repositories: { type: 'string' },
    against: { type: 'string' },
    helia: { type: 'string' },
  },
})
const out = resolve(values.out)
const deadlineMs = performance.now() + Number(values.minutes) * 60_000

interface Repository {
  readonly path: string
  readonly name: string
  /** Of its packs, for the plan. */
  readonly megabytes: number
}

interface Step {
  readonly bench: string
  /** Of its repository, or ''. */
  readonly name: string
  readonly file: string
  readonly words: readonly string[]
}

function repositoriesIn(folder: string): Repository[] {
  const wanted = values.repositories?.split(',')
  return readdirSync(folder)
    .flatMap((entry): Repository[] => {
      const path = [join(folder, entry, 'repo'), join(folder, entry)].find((one) => existsSync(one)) ?? ''
      const objects = [join(path, 'objects'), join(path, '.git', 'objects')].find((one) => existsSync(one))
      if (objects === undefined) return []
      const name = repositoryName(path)
      return wanted === undefined || wanted.includes(name) ? [{ path, name, megabytes: megabytesOf(objects) }] : []
    })
    .sort((a, b) => a.megabytes - b.megabytes)
}

function megabytesOf(objects: string): number {
  const packs = join(objects, 'pack')
  const names = existsSync(packs) ? readdirSync(packs) : []
  return names.reduce((sum, name) => sum + statSync(join(packs, name)).size / 1e6, 0)
}

/** How often, by size in MB of packs: short runs vary more, and long ones have to fit into the time. */
function effortFor(megabytes: number) {
  if (megabytes > 150) return { runs: '2', rivals: '1', cloneGrowth: '0', buildGrowth: '1' }
  if (megabytes > 40) return { runs: '3', rivals: '2', cloneGrowth: '0', buildGrowth: '0' }
  return { runs: '5', rivals: '3', cloneGrowth: '3', buildGrowth: '3' }
}

function stepsFor({ path, name, megabytes }: Repository): Step[] {
  const { runs, rivals, cloneGrowth, buildGrowth } = effortFor(megabytes)
  const of = (bench: string, words: readonly string[]): Step => {
    const file = fileOf(bench, name)
    return { bench, name, file, words: [path, ...words, '--name', name, '--json', file] }
  }
  const grown = (count: string): string[] => ['--runs', runs, '--growth-runs', count, '--core-runs', count]
  const helia = values.helia === undefined || megabytes > 150 ? [] : ['--helia', values.helia]
  return [
    of('build', [...grown(buildGrowth), '--growth', '10,25,50']),
    of('clone', grown(cloneGrowth)),
    of('rivals', ['--runs', rivals, ...helia]),
  ]
}

function fileOf(bench: string, name: string): string {
  return join(out, `${bench}-${name.replace(/^.*\//, '')}.json`)
}

function stepsOf(repositories: readonly Repository[]): Step[] {
  const against = values.against === undefined ? [] : ['--against', values.against]
  const [smallest] = repositories
  const alone = (bench: string, words: (file: string) => readonly string[]): Step => {
    const file = join(out, `${bench}.json`)
    return { bench, name: '', file, words: words(file) }
  }
  const onSmallest = (bench: string): Step[] => {
    if (smallest === undefined || !existsSync(join(HERE, `${bench}.js`))) return []
    const file = fileOf(bench, smallest.name)
    return [{ bench, name: smallest.name, file, words: [smallest.path, `--json=${file}`] }]
  }
  const each = repositories.map(stepsFor)
  const ofKind = (kind: string): Step[] => each.flatMap((steps) => steps.filter(({ bench }) => bench === kind))
  const rivals = ofKind('rivals')
  const last = Math.max(0, rivals.length - 1)
  const planned = [
    alone('micro', (file) => [...against, '--json', file]),
    ...ofKind('build'),
    ...ofKind('clone'),
    ...rivals.slice(0, last),
    alone('flash', () => ['--runs=1', '--mbit=10', '--mib=16']),
    ...onSmallest('static'),
    ...onSmallest('swarm'),
    ...rivals.slice(last),
    ...repositories.map(({ path, name }): Step => {
      const file = fileOf('sharing', name)
      return { bench: 'sharing', name, file, words: [path, JSON.stringify({ json: file, name })] }
    }),
  ]
  const only = new Set(values.only.split(','))
  return planned.filter(({ bench }) => only.has(bench))
}

/** Runs one bench. Flash prints its JSON instead of writing it. */
function runStep({ bench, name, file, words }: Step, repositories: readonly Repository[]): boolean {
  const script = join(HERE, bench === 'micro' ? 'micro/run.js' : `${bench}.js`)
  const shown = words.filter((word) => !repositories.some(({ path }) => path === word) && !word.startsWith('--json'))
  const run = about(bench, name, shown)
  const isPrinted = bench === 'flash'
  const output = isPrinted ? 'pipe' : 'inherit'
  const { status, stdout } = spawnSync(process.execPath, [script, ...words], {
    stdio: ['ignore', output, 'inherit'],
    encoding: 'utf8',
  })
  if (status !== 0 && bench !== 'micro') return false
  const text = isPrinted ? stdout : existsSync(file) ? readFileSync(file, 'utf8') : ''
  if (text !== '') writeResult(file, published(JSON.parse(text), run, repositories))
  return status === 0
}

/** A result with what it does not say of itself, and without paths of this machine. */
function published(result: Record<string, unknown>, run: About, repositories: readonly Repository[]): object {
  const { command, machine, load } = result
  const isComplete = typeof command === 'string' && typeof machine === 'string'
  const named = {
    ...result,
    repository: run.repository,
    ...(isComplete ? {} : run),
    load: load ?? run.load,
    day: run.day,
  }
  const paths = repositories.map(({ path, name }) => [path, name] as const)
  return JSON.parse(paths.reduce((text, [path, name]) => text.replaceAll(path, name), JSON.stringify(named)))
}

const [folder] = positionals
if (folder === undefined) {
  console.error('usage: npm run bench:all -- <folder of repositories> [--minutes 25] [--repositories <name>,…]')
  process.exit(129)
}
const repositories = repositoriesIn(resolve(folder))
console.log(repositories.map(({ name, megabytes }) => `${name}: ${megabytes.toFixed(0)} MB of packs`).join('\n'))
const failed: string[] = []
for (const step of stepsOf(repositories)) {
  const label = `${step.bench} ${step.file.replace(/^.*\//, '')}`
  if (performance.now() > deadlineMs && step.bench !== 'sharing') {
    failed.push(`${label}: no time left`)
    continue
  }
  const startedMs = performance.now()
  console.log(`\n# ${label}`)
  if (!runStep(step, repositories)) failed.push(label)
  console.log(`# ${((performance.now() - startedMs) / 1000).toFixed(0)} s`)
}
if (out === resolve('bench/results')) spawnSync(process.execPath, [join(HERE, 'report.js')], { stdio: 'inherit' })
else console.log(`the report is left alone: its results are not in ${out}`)
for (const label of failed) console.error(`not measured, or slower: ${label}`)
