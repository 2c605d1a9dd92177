/**
 * Everything that bench/RESULTS.md and bench/report.html are made of, in one go, on a machine that does nothing else.
 *   npm run bench:all -- <folder of repositories> [--minutes 25] [--out bench/results] [--only build,clone,rivals,micro,flash,swarm]
 *                        [--repositories <name>,<name>…] [--against <dist folder or commit>] [--sharing]
 * The folder holds clones, bare or not: X, X.git or X/repo. A plan of run counts is scaled to the minutes by the size of the
 * repositories; results are written one by one and the report is made anew at the end, also of what was measured before.
 * --sharing adds the sharing simulation, which needs many minutes more and no quiet.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { about, repositoryName, writeResult } from './result-file.ts'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '25' },
    out: { type: 'string', default: 'bench/results' },
    only: { type: 'string', default: 'build,clone,rivals,micro,flash,swarm' },
    repositories: { type: 'string' },
    against: { type: 'string' },
    helia: { type: 'string' },
    sharing: { type: 'boolean' },
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
    .sort((a, b) => b.megabytes - a.megabytes)
}

function megabytesOf(objects: string): number {
  const packs = join(objects, 'pack')
  const names = existsSync(packs) ? readdirSync(packs) : []
  return names.reduce((sum, name) => sum + statSync(join(packs, name)).size / 1e6, 0)
}

/** Runs by size: medians of five where a run is short; a big repository gets as many as half an hour has room for. */
function stepsFor({ path, name, megabytes }: Repository): Step[] {
  const isBig = megabytes > 150
  const runs = isBig ? '3' : '5'
  const few = isBig ? '1' : '3'
  const file = (bench: string): string => join(out, `${bench}-${name.replace(/^.*\//, '')}.json`)
  const costs = ['--runs', runs, '--growth-runs', few, '--core-runs', few]
  const growth = isBig || megabytes < 40 ? '10,25,50' : ''
  const of = (bench: string, words: readonly string[]): Step => {
    return { bench, file: file(bench), words: [path, ...words, '--name', name, '--json', file(bench)] }
  }
  const helia = values.helia === undefined ? [] : ['--helia', values.helia]
  return [
    of('build', [...costs, '--growth', growth]),
    of('clone', [...costs, '--growth', growth]),
    of('rivals', ['--runs', isBig ? '2' : '3', ...helia]),
  ]
}

function stepsOf(repositories: readonly Repository[]): Step[] {
  const against = values.against === undefined ? [] : ['--against', values.against]
  const [smallest] = [...repositories].reverse()
  const shared: Step[] = [
    { bench: 'micro', file: join(out, 'micro.json'), words: [...against, '--json', join(out, 'micro.json')] },
    { bench: 'flash', file: join(out, 'flash.json'), words: ['--runs=1', '--mbit=10', '--mib=16'] },
  ]
  const crowd = join(out, 'swarm.json')
  if (smallest !== undefined && existsSync(join(HERE, 'swarm.js')))
    shared.push({ bench: 'swarm', file: crowd, words: [smallest.path, `--json=${crowd}`] })
  const simulated = repositories.map(({ path, name }): Step => {
    const json = join(out, `sharing-${name.replace(/^.*\//, '')}.json`)
    return { bench: 'sharing', file: json, words: [path, JSON.stringify({ json, name })] }
  })
  const each = repositories.map(stepsFor)
  // The small ones first in every kind: if time runs out, it is the big one that has no rivals.
  const ordered = ['build', 'clone', 'rivals'].flatMap((kind) =>
    each.toReversed().flatMap((steps) => steps.filter(({ bench }) => bench === kind)),
  )
  const only = new Set(values.only.split(','))
  const chosen = [...shared.slice(0, 1), ...ordered, ...shared.slice(1)].filter(({ bench }) => only.has(bench))
  return values.sharing === true ? [...chosen, ...simulated] : chosen
}

/** Runs one bench; flash prints its JSON instead of writing it. */
function runStep({ bench, file, words }: Step): boolean {
  const script = join(HERE, bench === 'micro' ? 'micro/run.js' : `${bench}.js`)
  const run = about(bench, '', words)
  const output = bench === 'flash' ? 'pipe' : 'inherit'
  const { status, stdout } = spawnSync(process.execPath, [script, ...words], {
    stdio: ['ignore', output, 'inherit'],
    encoding: 'utf8',
  })
  if (bench === 'flash' && status === 0 && stdout !== '')
    writeResult(file, { ...run, ...JSON.parse(stdout), machine: run.machine })
  return status === 0
}

/** Paths of this machine have no place in what is published. */
function withoutPaths(file: string, repositories: readonly Repository[]): void {
  if (!existsSync(file)) return
  let text = readFileSync(file, 'utf8')
  for (const { path, name } of repositories) text = text.replaceAll(path, name)
  writeResult(file, JSON.parse(text))
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
  if (!runStep(step)) failed.push(label)
  withoutPaths(step.file, repositories)
  console.log(`# ${((performance.now() - startedMs) / 1000).toFixed(0)} s`)
}
spawnSync(process.execPath, [join(HERE, 'report.js'), out], { stdio: 'inherit' })
for (const label of failed) console.error(`not measured, or slower: ${label}`)
