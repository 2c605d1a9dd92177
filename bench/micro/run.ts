/**
 * Question: how far is each kernel from the bound that the machine sets, and has any become slower?
 *   npm run bench:micro -- [part of a name] [--against <dist folder or commit>] [--save] [--json <file>]
 * Every round measures all kernels and bounds, in turn; a figure is the fastest call of a round, so that other work on the
 * machine counts little. --against runs the kernels of another build in the same rounds, by turns with ours; a kernel is
 * SLOWER when it loses in every round by more than the tolerance. Without it the saved ratios to the bounds (--save) are
 * what counts. Ends with status 1 when something is slower.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Bench } from 'tinybench'
import { about, writeResult } from '../result-file.ts'
import { otherKernels } from './against.ts'
import { type Kernel, kernels } from './kernels.ts'
import { type Figures, type MicroReport, type Range, rangeOf, rounded } from './report.ts'

const ROUND_COUNT = 5
/** Milliseconds per kernel and round. */
const KERNEL_MS = 60
/** A ratio this much above the worst of the baseline is no noise. */
const BASELINE_TOLERANCE = 1.25
/** Two builds of the same source differ by less than this in at least one of the rounds. */
const AGAINST_TOLERANCE = 1.1
const BASELINE = new URL('../../../bench/micro-baseline.json', import.meta.url)
const OTHER = 'other build: '

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { save: { type: 'boolean' }, json: { type: 'string' }, against: { type: 'string' } },
})
const part = positionals[0] ?? ''
// A commit by its name; a folder is a place on this machine, which says nothing to others.
const against = values.against === undefined ? null : existsSync(values.against) ? '<dist folder>' : values.against
const run = about('micro', '', [part, ...(against === null ? [] : [`--against ${against}`])])
const own = await kernels()
const other = values.against === undefined ? { kernels: [], close: () => {} } : await otherKernels(values.against)
const wanted = new Set(own.filter(({ name }) => name.includes(part)).flatMap(withBound))
const measured = own.filter(({ name }) => wanted.has(name)).flatMap((kernel) => [kernel, ...twinOf(kernel)])
const fastest = await measure(measured)
other.close()
const baseline: Readonly<Record<string, { ratio: Range }>> = existsSync(BASELINE)
  ? JSON.parse(readFileSync(BASELINE, 'utf8')).kernels
  : {}
const figures = summarise()
const slower = Object.keys(figures).filter(isSlower)
const report: MicroReport = {
  ...run,
  bench: 'micro',
  rounds: ROUND_COUNT,
  against,
  slower,
  kernels: figures,
}
if (values.save === true) saveBaseline()
writeResult(values.json, report)
printTable()
process.exitCode = values.save !== true && slower.length > 0 ? 1 : 0

function withBound({ name, bound }: Kernel): string[] {
  return bound === null ? [name] : [name, bound]
}

/** The same kernel of the other build, if it has it and it is no bound. */
function twinOf({ name, bound }: Kernel): Kernel[] {
  const twin = bound === null ? undefined : other.kernels.find((candidate) => candidate.name === name)
  return twin === undefined ? [] : [{ ...twin, name: `${OTHER}${name}` }]
}

/** Fastest call of every kernel in every round, in nanoseconds per byte. */
async function measure(all: readonly Kernel[]): Promise<ReadonlyMap<string, number[]>> {
  const times = new Map<string, number[]>(all.map(({ name }) => [name, []]))
  for (let round = 0; round < ROUND_COUNT; round++) {
    const bench = new Bench({
      time: KERNEL_MS,
      warmupTime: KERNEL_MS / 4,
      iterations: 8,
      warmupIterations: 2,
      throws: true,
    })
    // Every other round the other way about: who comes second finds the caches warm.
    for (const { name, run } of round % 2 === 0 ? all : [...all].reverse()) bench.add(name, run)
    await bench.run()
    for (const { name, result } of bench.tasks) {
      if (!('latency' in result)) throw new Error(`${name}: expected a result, got none`)
      const lengthBytes = all.find((kernel) => kernel.name === name)?.lengthBytes ?? 1
      times.get(name)?.push((result.latency.min * 1e6) / lengthBytes)
    }
  }
  return times
}

function summarise(): Record<string, Figures> {
  const over = (name: string, base: string): Range => {
    const limits = fastest.get(base) ?? []
    return rangeOf((fastest.get(name) ?? []).map((time, round) => time / (limits[round] ?? time)))
  }
  const entries = own
    .filter(({ name }) => wanted.has(name))
    .map(({ name, bound }): [string, Figures] => {
      const [, nsPerByte] = rangeOf(fastest.get(name) ?? [])
      const against = fastest.has(OTHER + name) ? over(name, OTHER + name) : null
      return [name, { nsPerByte, bound, ratio: over(name, bound ?? name), against }]
    })
  return Object.fromEntries(entries)
}

/** Slower even in its best round than the other build, or than the baseline in its worst. */
function isSlower(name: string): boolean {
  const now = figures[name]
  if (now?.against !== null && now?.against !== undefined) return now.against[0] > AGAINST_TOLERANCE
  const before = baseline[name]?.ratio
  const counts = values.against === undefined && before !== undefined && now !== undefined
  return counts && now.ratio[0] > before[2] * BASELINE_TOLERANCE
}

function saveBaseline(): void {
  // One line per kernel, as the formatter wants it and a diff reads best.
  const lines = Object.entries(figures).map(
    ([name, { ratio }]) => `    ${JSON.stringify(name)}: { "ratio": [${ratio.map(rounded).join(', ')}] }`,
  )
  const machine = `{ "machine": ${JSON.stringify(run.machine)}, "rounds": ${ROUND_COUNT} }`
  writeFileSync(BASELINE, `{\n  "about": ${machine},\n  "kernels": {\n${lines.join(',\n')}\n  }\n}\n`)
}

function printTable(): void {
  console.log(`${run.machine}, median of ${ROUND_COUNT} rounds`)
  const last = values.against === undefined ? 'baseline' : 'this build ÷ the other (least to most)'
  console.log(`kernel                              ns/byte       MB/s  times its bound  (least to most)  ${last}`)
  for (const [name, { nsPerByte, bound, ratio, against }] of Object.entries(figures)) {
    const speed = `${name.padEnd(34)}${nsPerByte.toFixed(3).padStart(9)}${(1e3 / nsPerByte).toFixed(0).padStart(11)}`
    if (bound === null) {
      console.log(speed)
      continue
    }
    const [least, median, most] = ratio
    const range = `(${least.toFixed(2)} to ${most.toFixed(2)})`.padStart(18)
    const verdict = slower.includes(name) ? '  SLOWER' : ''
    const before = values.against === undefined ? (baseline[name]?.ratio[1].toFixed(2) ?? '') : textOf(against)
    console.log(
      `${speed}  ${median.toFixed(2).padStart(7)} x ${bound.padEnd(15)}${range}${before.padStart(9)}${verdict}`,
    )
  }
}

function textOf(range: Range | null): string {
  if (range === null) return ' new'
  const [least, median, most] = range
  return ` ${median.toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)})`
}
