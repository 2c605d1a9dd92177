/**
 * Question: is anybody ever stuck? Runs the simulated swarms for many seeds and prints those in which somebody was.
 *   npm run simulate -- [--seeds 1000] [--first 1] [--members 120] [--hostile 0] [--web 0.25]
 * Needs no network and no real time; a seed that fails here fails again. Says on stderr how far it is.
 */

import { parseArgs } from 'node:util'
import { simulateWeather } from './simulated-swarms.ts'

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      first: { type: 'string' },
      members: { type: 'string' },
      hostile: { type: 'string' },
      web: { type: 'string' },
    },
  })
  const count = Number(values.seeds ?? 1000)
  const first = Number(values.first ?? 1)
  const members = Number(values.members ?? 120)
  const hostileCount = Number(values.hostile ?? 0)
  const webShare = Number(values.web ?? 0.25)
  const bad: { seed: number; stuck: readonly string[] }[] = []
  let longestMs = 0
  let memberCount = 0
  let leftCount = 0
  let webCount = 0
  const startedMs = performance.now()
  for (let seed = first; seed < first + count; seed++) {
    const outcome = await simulateWeather(seed, members, hostileCount, webShare)
    memberCount += outcome.memberCount
    leftCount += outcome.leftCount
    webCount += outcome.webCount
    longestMs = Math.max(longestMs, outcome.virtualMs)
    if (outcome.stuck.length > 0) bad.push({ seed, stuck: outcome.stuck })
    if ((seed - first + 1) % 50 === 0) process.stderr.write(`${seed - first + 1} seeds, ${bad.length} stuck\n`)
  }
  const seconds = Math.round((performance.now() - startedMs) / 1000)
  const longestVirtualSeconds = Math.round(longestMs / 1000)
  process.stdout.write(
    `${JSON.stringify({ first, count, hostileCount, memberCount, leftCount, webCount, longestVirtualSeconds, seconds, bad }, null, 2)}\n`,
  )
  if (bad.length > 0) process.exitCode = 1
}

await main()
