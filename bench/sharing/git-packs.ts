/**
 * What git's server would send for (have, want): measured with `git pack-objects` the way upload-pack calls it, on a
 * seeded sample of the demand, and for all other pairs estimated from stored object sizes by the ratio that the sample
 * shows for packs of about that size. Every measured size is cached. Bitmaps are off: with them git finds no delta
 * bases on the client's side, and small packs come out up to ten times as long.
 */

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { plumbingEnvironment } from '../../helper/git/environment.ts'

/** Named numbers that survive the run. */
export class SizeCache {
  readonly #file: string
  readonly #sizes: Record<string, number>

  constructor(file: string) {
    this.#file = file
    this.#sizes = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
  }

  async get(key: string, measure: () => Promise<number>): Promise<number> {
    const known = this.#sizes[key]
    if (known !== undefined) return known
    const size = await measure()
    this.#sizes[key] = size
    mkdirSync(dirname(this.#file), { recursive: true })
    writeFileSync(this.#file, JSON.stringify(this.#sizes))
    return size
  }
}

/** Bytes of the thin pack for a client that has `have` (null: nothing); `isShallow` cuts both off from their parents. */
export function packLength(gitDir: string, have: string | null, want: string, isShallow: boolean): Promise<number> {
  const git = ['--git-dir', gitDir, '-c', 'pack.useBitmaps=false']
  const args = [...git, 'pack-objects', '--revs', '--thin', '--stdout', '--delta-base-offset', '-q']
  if (isShallow) args.push('--shallow')
  const child = spawn('git', args, { env: plumbingEnvironment(), stdio: ['pipe', 'pipe', 'ignore'] })
  const ends = have === null ? [want] : [want, have]
  const shallows = isShallow ? ends.map((oid) => `--shallow ${oid}\n`).join('') : ''
  child.stdin.on('error', () => {})
  child.stdin.end(`${shallows}${want}\n${have === null ? '' : `^${have}\n`}`)
  let length = 0
  child.stdout.on('data', (chunk: Uint8Array) => {
    length += chunk.length
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => {
      if (status === 0) resolve(length)
      else reject(new Error(`git pack-objects: expected status 0, got ${status}`))
    })
  })
}

export interface Sample {
  /** Bytes by stored object sizes, and as measured. */
  readonly stored: number
  readonly measured: number
}

export interface RatioBin {
  /** Holds for stored sizes up to this, bytes. */
  readonly storedMax: number
  readonly sampleCount: number
  readonly ratio: number
}

/** Ratio of measured to stored bytes by size; bins without samples take the ratio of all. `limits` ascend. */
export function ratioBins(samples: readonly Sample[], limits: readonly number[]): RatioBin[] {
  const ratioOf = (part: readonly Sample[]): number =>
    part.reduce((sum, { measured }) => sum + measured, 0) / part.reduce((sum, { stored }) => sum + stored, 0)
  return [...limits, Number.POSITIVE_INFINITY].map((storedMax, index) => {
    const least = limits[index - 1] ?? 0
    const part = samples.filter(({ stored }) => stored > least && stored <= storedMax)
    return { storedMax, sampleCount: part.length, ratio: part.length > 0 ? ratioOf(part) : ratioOf(samples) || 1 }
  })
}

/** Stored bytes times the ratio of their bin. */
export function scaleByBin(bins: readonly RatioBin[], stored: number): number {
  return stored * (bins.find(({ storedMax }) => stored <= storedMax)?.ratio ?? 1)
}

/** Linear between known points, ascending by `at`; flat outside. */
export function interpolate(points: readonly { readonly at: number; readonly value: number }[], at: number): number {
  const after = points.findIndex((point) => point.at >= at)
  const right = points[after < 0 ? points.length - 1 : after]
  const left = points[after <= 0 ? (after < 0 ? points.length - 1 : 0) : after - 1]
  if (right === undefined || left === undefined) return 0
  if (right.at === left.at) return right.value
  return left.value + ((right.value - left.value) * (at - left.at)) / (right.at - left.at)
}
