/**
 * The demand that every strategy has to meet: who fetches when, from what to what. Seeded: the same line, seed and
 * population give the same events on every machine. A client that fetches keeps what it has; cloners and jobs start
 * from nothing each time.
 */

import { randomNumbers } from '../random-numbers.ts'
import { heightAt } from './main-line.ts'

export const CLIENT_KINDS = ['clone', 'shallow', 'ci', 'ci-shallow', 'hourly', 'daily', 'weekly', 'poisson'] as const
export type ClientKind = (typeof CLIENT_KINDS)[number]

export interface Fetch {
  /** Unix seconds. */
  readonly time: number
  readonly client: number
  readonly kind: ClientKind
  /** Heights: the client has everything up to `have` (0: nothing) and wants `want` > `have`. */
  readonly have: number
  readonly want: number
  /** Only the newest commit's tree, without history; `have` is 0 then. */
  readonly isShallow: boolean
}

/** How many there are of each. */
export interface Population {
  readonly clonesPerDay: number
  readonly shallowClonesPerDay: number
  /** Jobs on every push, each from nothing: with all history, and with depth 1. */
  readonly jobsPerPush: number
  readonly shallowJobsPerPush: number
  readonly hourly: number
  readonly daily: number
  readonly weekly: number
  /** Clients that fetch at random, on average every `poissonDays` days. */
  readonly poisson: number
  readonly poissonDays: number
}

export const POPULATION: Population = {
  clonesPerDay: 40,
  shallowClonesPerDay: 60,
  jobsPerPush: 1,
  shallowJobsPerPush: 4,
  hourly: 10,
  daily: 60,
  weekly: 60,
  poisson: 40,
  poissonDays: 3,
}

/** The same mix with other numbers; whole clients, at least one where there was one. */
export function scaled(population: Population, scale: number): Population {
  const whole = (count: number): number => (count === 0 ? 0 : Math.max(1, Math.round(count * scale)))
  return {
    ...population,
    clonesPerDay: population.clonesPerDay * scale,
    shallowClonesPerDay: population.shallowClonesPerDay * scale,
    jobsPerPush: whole(population.jobsPerPush),
    shallowJobsPerPush: whole(population.shallowJobsPerPush),
    hourly: whole(population.hourly),
    daily: whole(population.daily),
    weekly: whole(population.weekly),
    poisson: whole(population.poisson),
  }
}

const DAY_SECONDS = 86400
/** Jobs start within this time of the push. */
const JOB_DELAY_SECONDS_MAX = 600
const RANDOM_BOUND = 65536

/** All fetches between `start` and `end`, by time. Fetches that would find nothing new are left out. */
export function drawDemand(
  times: Float64Array,
  population: Population,
  when: { readonly start: number; readonly end: number },
  seed: number,
): Fetch[] {
  const fraction = randomFractions(seed)
  const fetches: Fetch[] = []
  let client = 0
  const fresh = (kind: ClientKind, time: number): void => {
    const want = heightAt(times, time)
    const isShallow = kind === 'shallow' || kind === 'ci-shallow'
    if (want > 0 && time <= when.end) fetches.push({ time, client: client++, kind, have: 0, want, isShallow })
  }
  for (const time of poissonTimes(when, DAY_SECONDS / population.clonesPerDay, fraction)) fresh('clone', time)
  for (const time of poissonTimes(when, DAY_SECONDS / population.shallowClonesPerDay, fraction)) fresh('shallow', time)
  for (const push of pushTimes(times, when)) {
    for (let i = 0; i < population.jobsPerPush; i++) fresh('ci', push + fraction() * JOB_DELAY_SECONDS_MAX)
    for (let i = 0; i < population.shallowJobsPerPush; i++) {
      fresh('ci-shallow', push + fraction() * JOB_DELAY_SECONDS_MAX)
    }
  }
  const keep = (kind: ClientKind, moments: readonly number[]): void => {
    fetches.push(...fetchesOf(times, kind, client++, when.start, moments))
  }
  const periodic = (period: number): number[] => {
    const moments: number[] = []
    for (let time = when.start + fraction() * period; time <= when.end; time += period) moments.push(time)
    return moments
  }
  for (let i = 0; i < population.hourly; i++) keep('hourly', periodic(DAY_SECONDS / 24))
  for (let i = 0; i < population.daily; i++) keep('daily', periodic(DAY_SECONDS))
  for (let i = 0; i < population.weekly; i++) keep('weekly', periodic(7 * DAY_SECONDS))
  for (let i = 0; i < population.poisson; i++) {
    keep('poisson', poissonTimes(when, population.poissonDays * DAY_SECONDS, fraction))
  }
  return fetches.sort((a, b) => a.time - b.time || a.client - b.client)
}

/** The fetches of one client that had everything at `start`. */
function fetchesOf(
  times: Float64Array,
  kind: ClientKind,
  client: number,
  start: number,
  moments: readonly number[],
): Fetch[] {
  const fetches: Fetch[] = []
  let have = heightAt(times, start)
  for (const time of moments) {
    const want = heightAt(times, time)
    if (want === have) continue
    fetches.push({ time, client, kind, have, want, isShallow: false })
    have = want
  }
  return fetches
}

/** Moments at which the tip moved: commits of the same second came together. */
function pushTimes(times: Float64Array, when: { readonly start: number; readonly end: number }): number[] {
  const moments: number[] = []
  for (let height = heightAt(times, when.start) + 1; height < times.length; height++) {
    const time = times[height] ?? 0
    if (time <= when.end && time !== moments[moments.length - 1]) moments.push(time)
  }
  return moments
}

function poissonTimes(
  when: { readonly start: number; readonly end: number },
  meanSeconds: number,
  fraction: () => number,
): number[] {
  const moments: number[] = []
  if (!Number.isFinite(meanSeconds)) return moments // nobody
  let time = when.start
  for (;;) {
    time -= Math.log(1 - fraction()) * meanSeconds
    if (time > when.end) return moments
    moments.push(time)
  }
}

/** Numbers in [0, 1). */
function randomFractions(seed: number): () => number {
  const next = randomNumbers(seed)
  return () => (next(RANDOM_BOUND) * RANDOM_BOUND + next(RANDOM_BOUND)) / (RANDOM_BOUND * RANDOM_BOUND)
}
