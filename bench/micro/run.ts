/**
 * Question: how far is each kernel from the bound that the machine sets, and farther than at the last saved baseline?
 * `npm run bench:micro -- [part of a name] [--save] [--json]`. Every round measures all kernels and bounds, in turn; a ratio
 * is the fastest call of a kernel per byte over the fastest of its bound in the same round, so that other work on the
 * machine counts little. Ends with status 1 when a kernel is slower than the baseline beyond the spread of both.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { Bench } from 'tinybench'
import { type Kernel, kernels } from './kernels.ts'

const ROUND_COUNT = 5
/** Milliseconds per kernel and round. */
const KERNEL_MS = 60
/** A ratio this much above the worst of the baseline is no noise. */
const TOLERANCE = 1.25
const BASELINE = new URL('../../../bench/micro-baseline.json', import.meta.url)

interface Figures {
  /** Nanoseconds per byte, the median of the rounds. */
  readonly nsPerByte: number
  /** Times the bound: least, median and most of the rounds; 1 for a bound. */
  readonly ratio: readonly [number, number, number]
}

type Report = Readonly<Record<string, Figures>>

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { save: { type: 'boolean' }, json: { type: 'boolean' } },
})
const all = await kernels()
const wanted = new Set(all.filter(({ name }) => name.includes(positionals[0] ?? '')).flatMap(withBound))
const report = summarise(
  all.filter(({ name }) => wanted.has(name)),
  await measure([...wanted]),
)
const baseline: Report = existsSync(BASELINE) ? JSON.parse(readFileSync(BASELINE, 'utf8')).kernels : {}
const machine = { cpu: cpus()[0]?.model ?? 'unknown', node: process.version, rounds: ROUND_COUNT }
if (values.save === true) {
  // One line per kernel, as the formatter wants it and a diff reads best.
  const lines = Object.entries(report).map(
    ([name, { ratio }]) => `    ${JSON.stringify(name)}: { "ratio": [${ratio.map(rounded).join(', ')}] }`,
  )
  const { cpu, node, rounds } = machine
  const about = `{ "cpu": ${JSON.stringify(cpu)}, "node": ${JSON.stringify(node)}, "rounds": ${rounds} }`
  writeFileSync(BASELINE, `{\n  "machine": ${about},\n  "kernels": {\n${lines.join(',\n')}\n  }\n}\n`)
}
if (values.json === true) console.log(JSON.stringify({ machine, kernels: report }, null, 2))
else printTable()
process.exitCode = values.save !== true && Object.keys(report).some(hasRegressed) ? 1 : 0

function withBound({ name, bound }: Kernel): string[] {
  return bound === null ? [name] : [name, bound]
}

/** Fastest call of every kernel in every round, in nanoseconds per byte. */
async function measure(names: readonly string[]): Promise<ReadonlyMap<string, number[]>> {
  const fastest = new Map<string, number[]>(names.map((name) => [name, []]))
  for (let round = 0; round < ROUND_COUNT; round++) {
    const bench = new Bench({
      time: KERNEL_MS,
      warmupTime: KERNEL_MS / 4,
      iterations: 8,
      warmupIterations: 2,
      throws: true,
    })
    for (const { name, run } of all) if (wanted.has(name)) bench.add(name, run)
    await bench.run()
    for (const { name, result } of bench.tasks) {
      if (!('latency' in result)) throw new Error(`${name}: expected a result, got none`)
      const lengthBytes = all.find((kernel) => kernel.name === name)?.lengthBytes ?? 1
      fastest.get(name)?.push((result.latency.min * 1e6) / lengthBytes)
    }
  }
  return fastest
}

function summarise(measured: readonly Kernel[], fastest: ReadonlyMap<string, number[]>): Report {
  const figures = measured.map(({ name, bound }): [string, Figures] => {
    const own = fastest.get(name) ?? []
    const limits = fastest.get(bound ?? name) ?? []
    const ratios = own.map((time, round) => time / (limits[round] ?? time)).sort((a, b) => a - b)
    const [least = 1, median = 1, most = 1] = [ratios[0], ratios[ratios.length >> 1], ratios.at(-1)]
    return [name, { nsPerByte: [...own].sort((a, b) => a - b)[own.length >> 1] ?? 0, ratio: [least, median, most] }]
  })
  return Object.fromEntries(figures)
}

/** Slower even in its best round than the baseline in its worst. */
function hasRegressed(name: string): boolean {
  const before = baseline[name]?.ratio
  const now = report[name]?.ratio
  return before !== undefined && now !== undefined && now[0] > before[2] * TOLERANCE
}

function printTable(): void {
  console.log(`${machine.cpu}, Node ${machine.node}, median of ${ROUND_COUNT} rounds`)
  console.log('kernel                              ns/byte       MB/s  times its bound  (least to most)  baseline')
  for (const { name, bound } of all) {
    const figures = report[name]
    if (figures === undefined) continue
    const [least, median, most] = figures.ratio
    const before = baseline[name]?.ratio[1]
    const speed = `${name.padEnd(34)}${figures.nsPerByte.toFixed(3).padStart(9)}${(1e3 / figures.nsPerByte).toFixed(0).padStart(11)}`
    if (bound === null) console.log(speed)
    else {
      const spread = `(${least.toFixed(2)} to ${most.toFixed(2)})`.padStart(18)
      const verdict = hasRegressed(name) ? '  SLOWER' : ''
      const old = before === undefined ? '' : before.toFixed(2)
      console.log(
        `${speed}  ${median.toFixed(2).padStart(7)} x ${bound.padEnd(15)}${spread}${old.padStart(9)}${verdict}`,
      )
    }
  }
}

function rounded(value: number): number {
  return Number(value.toPrecision(3))
}
