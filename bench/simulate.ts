/**
 * Question: is anybody ever stuck? Runs the simulated swarms for many seeds and prints those in which somebody was.
 *   npm run simulate -- [how many seeds, 1000] [first seed, 1]
 * Needs no network and no real time; a seed that fails here fails again.
 */

import { simulateWeather } from './simulated-swarms.ts'

async function main(): Promise<void> {
  const count = Number(process.argv[2] ?? 1000)
  const first = Number(process.argv[3] ?? 1)
  const bad: { seed: number; stuck: readonly string[] }[] = []
  let longestMs = 0
  let memberCount = 0
  let leftCount = 0
  const startedMs = performance.now()
  for (let seed = first; seed < first + count; seed++) {
    const outcome = await simulateWeather(seed)
    memberCount += outcome.memberCount
    leftCount += outcome.leftCount
    longestMs = Math.max(longestMs, outcome.virtualMs)
    if (outcome.stuck.length > 0) bad.push({ seed, stuck: outcome.stuck })
  }
  const seconds = Math.round((performance.now() - startedMs) / 1000)
  const longestVirtualSeconds = Math.round(longestMs / 1000)
  process.stdout.write(
    `${JSON.stringify({ first, count, memberCount, leftCount, longestVirtualSeconds, seconds, bad }, null, 2)}\n`,
  )
  if (bad.length > 0) process.exitCode = 1
}

await main()
