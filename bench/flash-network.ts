/**
 * A small network of its own for a bench: one bridge, and one network namespace per machine with a shaped line to it.
 * Nothing can leave it: the bridge has no uplink. Needs root, `ip` and `tc`. Everything is removed by `close`, which is
 * synchronous so that it can run while a signal ends the process; what a killed run left is collected by the next one.
 */

import { execFileSync } from 'node:child_process'

const PREFIX = 'gtflash'
/** Bytes that a shaper lets pass at once, at least: one large segment. */
const BURST_LENGTH_MIN = 64 * 1024

/** One machine's line: bits per second, and optionally delay (one way) and loss of what it sends. */
export interface Line {
  readonly upBits: number
  readonly downBits: number
  readonly delayMs?: number
  readonly lossPercent?: number
}

export interface Machine {
  readonly namespace: string
  readonly host: string
  /** Name of the bridge's end of the line. */
  readonly port: string
}

function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Why a network cannot be built here, null if it can. */
export function obstacle(needsDelay: boolean): string | null {
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  const name = `${PREFIX}-${process.pid}-try`
  try {
    ip('netns', 'add', name)
  } catch (error) {
    return `network namespaces do not work here: ${String(error).split('\n')[0]}`
  }
  try {
    const kinds = [['tbf', 'rate', '1mbit', 'burst', '64k', 'latency', '50ms'], ...(needsDelay ? [['netem']] : [])]
    for (const kind of kinds) ip('netns', 'exec', name, 'tc', 'qdisc', 'replace', 'dev', 'lo', 'root', ...kind)
    return null
  } catch {
    return needsDelay ? 'the kernel lacks netem (or tbf)' : 'tc cannot shape here'
  } finally {
    ip('netns', 'del', name)
  }
}

export class FlashNetwork {
  readonly #hub = `${PREFIX}-${process.pid}-hub`
  readonly #namespaces: string[] = []

  constructor() {
    removeLeftovers()
    this.#addNamespace(this.#hub)
    this.#inHub('ip', 'link', 'add', 'hub', 'type', 'bridge')
    this.#inHub('ip', 'link', 'set', 'hub', 'up')
  }

  #addNamespace(name: string): void {
    ip('netns', 'add', name)
    this.#namespaces.push(name)
    ip('netns', 'exec', name, 'ip', 'link', 'set', 'lo', 'up')
  }

  #inHub(...command: string[]): string {
    return ip('netns', 'exec', this.#hub, ...command)
  }

  /** Adds a machine behind `line`. */
  add(line: Line): Machine {
    const number = this.#namespaces.length
    const namespace = `${PREFIX}-${process.pid}-${number}`
    const port = `port${number}`
    const host = `10.99.${number >> 8}.${number & 255}`
    this.#addNamespace(namespace)
    this.#inHub('ip', 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'line', 'netns', namespace)
    this.#inHub('ip', 'link', 'set', port, 'master', 'hub', 'up')
    ip('netns', 'exec', namespace, 'ip', 'addr', 'add', `${host}/16`, 'dev', 'line')
    ip('netns', 'exec', namespace, 'ip', 'link', 'set', 'line', 'up')
    shape(namespace, 'line', line.upBits, line)
    shape(this.#hub, port, line.downBits, {})
    return { namespace, host, port }
  }

  /** Bytes on the wire that a machine has sent so far, headers included. */
  sentLength({ port }: Machine): number {
    return Number(this.#inHub('cat', `/sys/class/net/${port}/statistics/rx_bytes`))
  }

  /** Removes everything; idempotent. */
  close(): void {
    for (const name of this.#namespaces.splice(0)) removeNamespace(name)
  }
}

function shape(namespace: string, device: string, bits: number, { delayMs, lossPercent }: Partial<Line>): void {
  const tc = (...args: string[]): string => ip('netns', 'exec', namespace, 'tc', 'qdisc', 'add', 'dev', device, ...args)
  const burst = String(Math.max(BURST_LENGTH_MIN, Math.round(bits / 8 / 250)))
  const tbf = ['tbf', 'rate', `${bits}bit`, 'burst', burst, 'latency', '100ms']
  if (delayMs === undefined) {
    tc('root', ...tbf)
    return
  }
  tc('root', 'handle', '1:', ...tbf)
  tc('parent', '1:', 'netem', 'delay', `${delayMs}ms`, 'loss', `${lossPercent ?? 0}%`, 'limit', '10000')
}

function removeNamespace(name: string): void {
  try {
    ip('netns', 'del', name)
  } catch {
    // It has gone already.
  }
}

/** Namespaces of runs whose process is no more. */
function removeLeftovers(): void {
  for (const line of ip('netns', 'list').split('\n')) {
    const [name = ''] = line.split(' ')
    const pid = new RegExp(`^${PREFIX}-(\\d+)-`).exec(name)?.[1]
    if (pid === undefined || Number(pid) === process.pid) continue
    try {
      process.kill(Number(pid), 0)
    } catch {
      removeNamespace(name)
    }
  }
}
