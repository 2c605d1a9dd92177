/**
 * Runs the fuzz targets: `npm run fuzz -- [target] [seconds] [--seed n]`; a part of a name selects several, all when none
 * is given, 10 seconds for each. Prints a line per target; findings go to dist/fuzz/findings and, by hand, into
 * fuzz/regressions.json. Ends with status 1 when there was one.
 */

import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { CampaignThread } from './campaign-thread.ts'
import { targetNames } from './target.ts'

const SECONDS = 10

const { positionals, values } = parseArgs({ allowPositionals: true, options: { seed: { type: 'string' } } })
const seconds = Number(positionals.find((text) => /^\d+$/.test(text)) ?? SECONDS)
const part = positionals.find((text) => !/^\d+$/.test(text)) ?? ''
const names = targetNames().filter((name) => name.includes(part))
const folder = new URL('../findings/', import.meta.url)
if (names.length === 0) throw new Error(`fuzz: expected a part of a target's name, got '${part}'`)

console.log('target                     executions  per second  corpus  covered  findings')
for (const target of names) {
  const seed = Number(values.seed ?? Date.now() % 2 ** 31)
  const thread = new CampaignThread()
  const report = await thread.run({ target, seed, seconds, executionCountMax: Number.POSITIVE_INFINITY })
  await thread.end()
  const columns: [string | number, number][] = [
    [report.executionCount, 12],
    [Math.round(report.executionCount / report.seconds), 12],
    [report.corpusCount, 8],
    [report.coveredLength, 9],
    [report.findings.length, 10],
  ]
  console.log(target.padEnd(25) + columns.map(([value, width]) => String(value).padStart(width)).join(''))
  for (const { kind, bytes } of report.findings) {
    const file = new URL(`${target.replace('/', '-')}-${hashOf(bytes)}`, folder)
    mkdirSync(folder, { recursive: true })
    writeFileSync(file, bytes)
    console.log(
      `  ${kind}\n    seed ${seed}, ${bytes.length} bytes, base64 ${Buffer.from(bytes).toString('base64').slice(0, 400)}`,
    )
    process.exitCode = 1
  }
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 12)
}
