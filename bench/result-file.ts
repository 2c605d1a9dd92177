/**
 * What every result says of itself, so that each number in the report leads to the command and the machine behind it; and
 * where results are kept. A result is one JSON file; bench/results/ holds those that bench/RESULTS.md is made of.
 */

import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'
import { basename, dirname, resolve } from 'node:path'

export interface About {
  readonly bench: string
  /** Name of the repository, or '' where there is none. */
  readonly repository: string
  /** The command as somebody else would type it, with the repository's name instead of a path of ours. */
  readonly command: string
  readonly machine: string
  /** Load average of the last minute when the run began: above 1, other work took part of the machine. */
  readonly load: number
  /** UTC day of the run. */
  readonly day: string
}

/** Describes a run that begins now. `words` are the arguments behind the repository. */
export function about(bench: string, repository: string, words: readonly string[] = []): About {
  const command = [`npm run bench:${bench} --`, repository, ...words].filter((word) => word !== '').join(' ')
  const load = Math.round((loadavg()[0] ?? 0) * 100) / 100
  return { bench, repository, command, machine: machineText(), load, day: new Date().toISOString().slice(0, 10) }
}

/** Processor, cores, memory, and the versions of what was compared. */
export function machineText(): string {
  const gibibytes = Math.round(totalmem() / 2 ** 30)
  const git = execFileSync('git', ['--version'], { encoding: 'utf8' }).trim().replace('version ', '')
  const cpu = (cpus()[0]?.model ?? '').trim() || 'unknown processor'
  return `${cpu}, ${availableParallelism()} cores, ${gibibytes} GiB, Node ${process.version}, ${git}`
}

/** A repository's name from its path: `git+git/repo` and `git/git` and `git.git` all have one. */
export function repositoryName(path: string): string {
  const full = resolve(path)
  const isGeneric = /^(repo|\.git)$/.test(basename(full))
  return basename(isGeneric ? dirname(full) : full)
    .replace(/\.git$/, '')
    .replace('+', '/')
}

/** Writes a result to a file, or does nothing without one. */
export function writeResult(file: string | undefined, result: object): void {
  if (file === undefined || file === '') return
  mkdirSync(dirname(resolve(file)), { recursive: true })
  const text = JSON.stringify(result, (_, value: unknown) => (typeof value === 'number' ? short(value) : value), 1)
  // Whatever holds no list and no object goes on one line: a third of the length, and differences stay readable.
  const leaves = /([[{])\s*([^[\]{}]*?)\s*([\]}])/g
  const lines = text.replace(leaves, (_, open: string, inner: string, close: string) => {
    return open + inner.replace(/\n\s*/g, ' ') + close
  })
  writeFileSync(file, `${lines}\n`)
}

/** Integers as they are, large fractions as integers, small ones with six digits. */
function short(value: number): number {
  return Number.isInteger(value) || Math.abs(value) >= 1e6 ? Math.round(value) : Number(value.toPrecision(6))
}
