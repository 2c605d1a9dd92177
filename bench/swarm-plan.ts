/**
 * Which crowds a live run has: what was asked for, and before it one lone clone of each kind, whose bytes are F.
 */

import type { Scenario, Strategy } from './swarm-crowd.ts'

export type Kind = 'together' | 'staggered' | 'farm' | 'shallow'

export interface Wishes {
  readonly kinds: readonly Kind[]
  readonly strategies: readonly Strategy[]
  /** Sizes of the crowds that start together; the smallest also starts one by one. */
  readonly cloneCounts: readonly number[]
  readonly staggerSeconds: number
  /** Jobs of the farm. */
  readonly jobCount: number
  /** Uplinks of the origin, of the given repository and of the farm's, in bits per second. */
  readonly uplinkBits: number
  readonly farmUplinkBits: number
}

export interface Planned {
  readonly scenario: Scenario
  readonly strategies: readonly Strategy[]
}

/** What to run. A bundle list cannot help a shallow clone: git refuses the two together. */
export function planOf(wishes: Wishes): Planned[] {
  const { kinds, strategies, cloneCounts, staggerSeconds, jobCount } = wishes
  const given = { repository: 'given', staggerSeconds: 0, depth: null, uplinkBits: wishes.uplinkBits }
  const farm = { repository: 'farm', staggerSeconds: 0, uplinkBits: wishes.farmUplinkBits }
  const fewest = Math.min(...cloneCounts)
  const possible: Record<Kind, Planned[]> = {
    together: cloneCounts.map((cloneCount) => ({
      scenario: { ...given, name: `${cloneCount} together`, cloneCount },
      strategies: ['plain', 'bundles', 'swarm'],
    })),
    staggered: [
      {
        scenario: { ...given, name: `${fewest}, one every ${staggerSeconds} s`, cloneCount: fewest, staggerSeconds },
        strategies: ['plain', 'bundles', 'swarm', 'daemons'],
      },
    ],
    farm: [
      {
        scenario: { ...farm, name: 'farm, full', cloneCount: jobCount, depth: null },
        strategies: ['plain', 'bundles', 'swarm'],
      },
    ],
    shallow: [
      {
        scenario: { ...farm, name: 'farm, depth 1', cloneCount: jobCount, depth: 1 },
        strategies: ['plain', 'swarm'],
      },
    ],
  }
  const chosen = kinds.flatMap((kind) => possible[kind])
  const lone = new Map(
    chosen.map(({ scenario, strategies: its }) => [nameOfOne(scenario), { scenario, strategies: its }]),
  )
  const first = [...lone].map(([name, { scenario, strategies: its }]) => ({
    scenario: { ...scenario, name, cloneCount: 1, staggerSeconds: 0 },
    strategies: its.filter((strategy) => strategy !== 'daemons'),
  }))
  return [...first, ...chosen].map(({ scenario, strategies: its }) => ({
    scenario,
    strategies: its.filter((strategy) => strategies.includes(strategy)),
  }))
}

function nameOfOne({ repository, depth }: Scenario): string {
  return `one ${repository === 'farm' ? 'job' : 'clone'}${depth === null ? '' : `, depth ${depth}`}`
}
