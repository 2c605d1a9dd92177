/**
 * Everything that bench/RESULTS.md and bench/report.html are made of, in one go, on a machine that does nothing else.
 *   npm run bench:all -- <folder of repositories> [--repositories <name>,<name>…] [--minutes 50] [--out bench/results]
 *                        [--only build,clone,rivals,micro,flash,static,swarm,sharing] [--against <dist folder or commit>] [--helia <folder>]
 * The folder holds clones, bare or not: X, X.git or X/repo. Everything has five runs, but for rivals and crowds. When the minutes
 * are over, no further bench starts; the longest come last, and what is not measured keeps its older result. Results are
 * written one by one, and the report is made anew at the end. Sharing, which needs many minutes and no quiet, only if it is named.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { about, repositoryName, writeResult } from './result-file.ts'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '50' },
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

/**
 * How often, by size in MB of packs. Whatever is measured has five runs; what is left out where it takes long are lengths of history
 * (which the largest and the smallest tell), fewer cores, and rivals, one run of which waits for many timers.
 */
function effortFor(megabytes: number) {
  const isSmall = megabytes < 30
  const isLarge = megabytes > 150
  return {
    runs: '5',
    rivals: isLarge ? '1' : '3',
    growth: { build: isSmall || isLarge ? '5' : '0', clone: isSmall ? '5' : '0' },
    cores: isSmall ? '5' : '0',
  }
}

function stepsFor({ path, name, megabytes }: Repository): Step[] {
  const { runs, rivals, growth, cores } = effortFor(megabytes)
  const of = (bench: string, words: readonly string[]): Step => {
    const file = fileOf(bench, name)
    return { bench, name, file, words: [path, ...words, '--name', name, '--json', file] }
  }
  const measured = (bench: 'build' | 'clone'): string[] => {
    return ['--runs', runs, '--growth', '10,25,50', '--growth-runs', growth[bench], '--core-runs', cores]
  }
  const helia = values.helia === undefined || megabytes > 150 ? [] : ['--helia', values.helia]
  return [of('build', measured('build')), of('clone', measured('clone')), of('rivals', ['--runs', rivals, ...helia])]
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
    return [{ bench, name: smallest.name, file, words: [smallest.path, `--json=${file}`, `--name=${smallest.name}`] }]
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

/** Runs one bench. Flash prints its JSON, also what it has after a failure, and does not say how it was run; the others write theirs. */
function runStep({ bench, name, file, words }: Step): boolean {
  const script = join(HERE, bench === 'micro' ? 'micro/run.js' : `${bench}.js`)
  const isPrinted = bench === 'flash'
  const run = about(bench, name, isPrinted ? words : [])
  const { status, stdout } = spawnSync(process.execPath, [script, ...words], {
    stdio: ['ignore', isPrinted ? 'pipe' : 'inherit', 'inherit'],
    encoding: 'utf8',
  })
  if (isPrinted && stdout !== '') writeResult(file, { ...JSON.parse(stdout), ...run })
  return status === 0
}

const [folder] = positionals
if (folder === undefined) {
  console.error('usage: npm run bench:all -- <folder of repositories> [--minutes 50] [--repositories <name>,…]')
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
  if (!runStep(step)) failed.push(label)
  console.log(`# ${((performance.now() - startedMs) / 1000).toFixed(0)} s`)
}
if (out === resolve('bench/results')) spawnSync(process.execPath, [join(HERE, 'report.js')], { stdio: 'inherit' })
else console.log(`the report is left alone: its results are not in ${out}`)
for (const label of failed) console.error(`not measured, or slower: ${label}`)
