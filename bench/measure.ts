/**
 * Measures whole processes: seconds, processor seconds, and the peak memory of everything that a command starts. Memory is
 * read from /proc every 50 ms: the private pages of all processes added up, and file pages (packs that several of them map)
 * counted once, as the largest process has them. Without /proc memory is null. Also: medians with their spread, and the
 * ratio of two things that were measured by turns.
 */

import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

const SAMPLE_MS = 50

export interface Measured {
  readonly seconds: number
  /** Of the command and all that it waited for, user and system. */
  readonly cpuSeconds: number
  readonly peakMiB: number | null
  readonly stdout: string
}

export interface Place {
  /** Where commands run, and the environment that they get. */
  readonly folder: string
  readonly environment: NodeJS.ProcessEnv
}

export interface MeasureOptions {
  /** The first so many cores; all unless given. */
  readonly cores?: number
  readonly environment?: NodeJS.ProcessEnv
  /** Ends the command and all it started after so many seconds; never unless given. */
  readonly secondsMax?: number
}

/** Runs a line of shell to its end. @throws Error with its stderr, or when it takes too long */
export function measure(place: Place, command: string, options: MeasureOptions = {}): Promise<Measured> {
  const line = `${command}\nstatus=$?\ntimes >&3\nexit $status`
  const { cores, environment, secondsMax } = options
  const words = cores === undefined ? ['sh'] : ['taskset', '-c', `0-${cores - 1}`, 'sh']
  const [program = 'sh', ...args] = [...words, '-c', line]
  return new Promise<Measured>((resolve, reject) => {
    const startedMs = performance.now()
    const child = spawn(program, args, {
      cwd: place.folder,
      env: { ...place.environment, ...environment },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      // A group of its own can be ended as a whole.
      detached: secondsMax !== undefined,
    })
    const limit = secondsMax === undefined ? undefined : setTimeout(() => endGroup(child.pid), secondsMax * 1000)
    const texts = ['', '', '']
    for (const [index, stream] of [child.stdout, child.stderr, child.stdio[3]].entries())
      stream?.on('data', (chunk: Uint8Array) => {
        texts[index] += Buffer.from(chunk).toString('utf8')
      })
    const memory = watchMemory(child.pid ?? 0)
    let seconds = 0
    child.on('error', reject)
    child.on('exit', () => {
      seconds = (performance.now() - startedMs) / 1000
    })
    child.on('close', (status, signal) => {
      clearTimeout(limit)
      const peakMiB = memory.stop()
      const [stdout = '', stderr = '', times = ''] = texts
      if (status === 0) resolve({ seconds, cpuSeconds: childSeconds(times), peakMiB, stdout })
      else if (signal !== null) reject(new Error(`${command}: expected an end within ${secondsMax} s, got none`))
      else reject(new Error(`${command}: expected status 0, got ${status}: ${stderr.trim()}`))
    })
  })
}

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended meanwhile.
  }
}

/** The second line of `times`: what the shell waited for. */
function childSeconds(times: string): number {
  const line = times.trim().split('\n')[1] ?? ''
  return [...line.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, min, sec]) => sum + Number(min) * 60 + Number(sec), 0)
}

function watchMemory(root: number): { stop(): number | null } {
  let peak: number | null = null
  const look = (): void => {
    const now = memoryMiB(root)
    if (now !== null) peak = Math.max(peak ?? 0, now)
  }
  const timer = setInterval(look, SAMPLE_MS)
  look()
  return {
    stop: () => {
      clearInterval(timer)
      return peak === null ? null : Math.round(peak)
    },
  }
}

/** Memory of a process and all below it; null where /proc does not tell. */
function memoryMiB(root: number): number | null {
  let ownKiB = 0
  let fileKiB = 0
  let isKnown = false
  const pids = [root]
  for (let pid = pids.pop(); pid !== undefined; pid = pids.pop()) {
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'latin1')
      const of = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0)
      ownKiB += of('RssAnon') + of('RssShmem')
      fileKiB = Math.max(fileKiB, of('RssFile'))
      isKnown = true
      for (const task of readdirSync(`/proc/${pid}/task`)) {
        const children = readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').trim()
        if (children !== '') pids.push(...children.split(' ').map(Number))
      }
    } catch {
      // It ended while we looked.
    }
  }
  return isKnown ? (ownKiB + fileKiB) / 1024 : null
}

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
  readonly runs: number
}

/** Median, least and most; for an even number of values the mean of the middle two. */
export function spread(values: readonly number[], digits = 3): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? 0
  const median = sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2
  const round = (value: number | undefined): number => Number((value ?? 0).toFixed(digits))
  return { median: round(median), min: round(sorted[0]), max: round(sorted.at(-1)), runs: values.length }
}

/** The ratio of each run to the run of the other that was its neighbour in time. */
export function ratios(ours: readonly number[], theirs: readonly number[]): Spread {
  return spread(ours.map((value, run) => value / (theirs[run] ?? value)))
}

/** All runs of one thing that is measured again and again. */
export interface Effort {
  readonly seconds: Spread
  readonly cpuSeconds: Spread
  /** The most of all runs. */
  readonly peakMiB: number | null
}

export function effortOf(runs: readonly Measured[]): Effort {
  const peaks = runs.flatMap(({ peakMiB }) => (peakMiB === null ? [] : [peakMiB]))
  return {
    seconds: spread(runs.map(({ seconds }) => seconds)),
    cpuSeconds: spread(runs.map(({ cpuSeconds }) => cpuSeconds)),
    peakMiB: peaks.length === 0 ? null : Math.max(...peaks),
  }
}
