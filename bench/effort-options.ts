/**
 * The command line that bench:build and bench:clone share: a repository, how often it is measured whole, in parts of its history and
 * on fewer cores, and where the result goes.
 */

import { parseArgs } from 'node:util'
import { givenRepository } from './given-repository.ts'
import { type About, about } from './result-file.ts'

export interface EffortOptions {
  /** Git directory of the repository, absolute. */
  readonly gitDir: string
  /** What the result says of itself. */
  readonly run: About
  readonly runs: number
  /** Percents of the first-parent history, each measured `growthRuns` times. */
  readonly growth: readonly number[]
  readonly growthRuns: number
  /** Numbers of cores, each measured `coreRuns` times. */
  readonly cores: readonly number[]
  readonly coreRuns: number
  /** By performance.now(): no further round begins after it; the first always does. */
  readonly deadlineMs: number
  /** bench:clone: which ways are measured beside ours and the plain one; null is all of them. */
  readonly ways: readonly string[] | null
  readonly json: string | undefined
}

/** Reads the words behind `npm run bench:<bench> --`. */
export function readEffortOptions(bench: string, growth: string): EffortOptions {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      runs: { type: 'string', default: '5' },
      growth: { type: 'string', default: growth },
      'growth-runs': { type: 'string', default: '3' },
      cores: { type: 'string', default: '1,2' },
      'core-runs': { type: 'string', default: '3' },
      ways: { type: 'string' },
      minutes: { type: 'string', default: 'Infinity' },
      json: { type: 'string' },
      name: { type: 'string' },
    },
  })
  const { gitDir, name } = givenRepository(
    positionals[0],
    `npm run bench:${bench} -- <repository> [--runs <number>] [--json <file>] …`,
  )
  const words = [`--runs ${values.runs}`, `--growth ${values.growth}`, `--growth-runs ${values['growth-runs']}`]
  words.push(`--cores ${values.cores}`, `--core-runs ${values['core-runs']}`)
  if (values.ways !== undefined) words.push(`--ways '${values.ways}'`)
  return {
    gitDir,
    run: about(bench, values.name ?? name, words),
    runs: Number(values.runs),
    growth: numbersOf(values.growth),
    growthRuns: Number(values['growth-runs']),
    cores: numbersOf(values.cores),
    coreRuns: Number(values['core-runs']),
    deadlineMs: performance.now() + Number(values.minutes) * 60_000,
    ways: values.ways?.split(',') ?? null,
    json: values.json,
  }
}

function numbersOf(text: string): number[] {
  return text
    .split(',')
    .map(Number)
    .filter((value) => value > 0)
}
