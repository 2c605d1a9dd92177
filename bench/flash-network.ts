/**
 * A small network of its own for a bench: one bridge, and one network namespace per machine with a shaped line to it.
 * Nothing can leave it: the bridge has no uplink. Needs root, `ip` and `tc`. Everything is removed by `close`, which is
 * synchronous so that it can run while a signal ends the process; what a killed run left is collected by the next one.
 * Lines with delay or loss are made of TAP devices (delay-relay.ts), the others of veth pairs.
 */

import { execFileSync } from 'node:child_process'
import { DelayRelay, type RelayCounts, relayObstacle } from './delay-relay.ts'

const PREFIX = 'gtflash'
/** Where the machines of the piece exchange listen. */
export const FLASH_PORT = 7000
/** Bytes that a shaper lets pass at once, at least: one large segment. */
const BURST_LENGTH_MIN = 64 * 1024
/** Prints the median of the times, in ms, that connections to a host and port take. */
const CONNECT_SCRIPT = `
const [host, port] = process.argv.slice(1)
const { connect } = require('node:net')
const times = []
const next = () => {
  const startMs = performance.now()
  const socket = connect(Number(port), host, () => {
    times.push(performance.now() - startMs)
    socket.destroy()
    if (times.length < 7) setTimeout(next, 20)
    else console.log(times.sort((a, b) => a - b)[3])
  })
}
next()`

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
  if (process.platform !== 'linux') return 'network namespaces need Linux'
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  const name = `${PREFIX}-${process.pid}-try`
  try {
    ip('netns', 'add', name)
  } catch (error) {
    return `network namespaces do not work here: ${String(error).split('\n')[0]}`
  }
  try {
    ip('netns', 'exec', name, 'tc', 'qdisc', 'replace', 'dev', 'lo', 'root', ...shaperOf(1e6))
    return needsDelay ? relayObstacle() : null
  } catch {
    return 'tc cannot shape here'
  } finally {
    removeNamespace(name)
  }
}

/** Networks of this process so far. */
let networkCount = 0

export class FlashNetwork {
  readonly #prefix = `${PREFIX}-${process.pid}-${networkCount++}`
  readonly #hub = `${this.#prefix}-hub`
  readonly #namespaces: string[] = []
  readonly #machines: (Machine & { readonly address: string })[] = []
  readonly #relays: DelayRelay[] = []

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
  async add(line: Line): Promise<Machine> {
    const number = this.#namespaces.length
    const namespace = `${this.#prefix}-${number}`
    const port = `port${number}`
    const host = `10.99.${number >> 8}.${number & 255}`
    this.#addNamespace(namespace)
    if (line.delayMs === undefined && line.lossPercent === undefined) {
      this.#inHub('ip', 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'line', 'netns', namespace)
    } else {
      const ends = [
        { namespace, device: 'line' },
        { namespace: this.#hub, device: port },
      ] as const
      this.#relays.push(await DelayRelay.start(...ends, line.delayMs ?? 0, line.lossPercent ?? 0, number))
    }
    this.#inHub('ip', 'link', 'set', port, 'master', 'hub', 'up')
    ip('netns', 'exec', namespace, 'ip', 'addr', 'add', `${host}/16`, 'dev', 'line')
    const address = `02:00:00:00:${hex(number >> 8)}:${hex(number & 255)}`
    ip('netns', 'exec', namespace, 'ip', 'link', 'set', 'line', 'address', address, 'up')
    shape(namespace, 'line', line.upBits)
    shape(this.#hub, port, line.downBits)
    const machine = { namespace, host, port }
    this.#machines.push({ ...machine, address })
    return machine
  }

  /** Lets all machines know where each other is: behind a full queue, ARP is lost like anything else, and hosts seem to be gone. */
  introduce(): void {
    const known = this.#machines.map(
      ({ host, address }) => `neigh replace ${host} lladdr ${address} dev line nud permanent`,
    )
    for (const [index, { namespace }] of this.#machines.entries()) {
      const others = known.filter((_, other) => other !== index)
      execFileSync('ip', ['-n', namespace, '-batch', '-'], { input: others.join('\n') })
    }
  }

  /** Bytes on the wire that a machine has sent so far, headers included. */
  sentLength({ port }: Machine): number {
    return Number(this.#inHub('cat', `/sys/class/net/${port}/statistics/rx_bytes`))
  }

  /** Bytes on the wire that a machine has been sent so far, headers included. */
  receivedLength({ port }: Machine): number {
    return Number(this.#inHub('cat', `/sys/class/net/${port}/statistics/tx_bytes`))
  }

  /** What the relays of all lines did so far; empty where no line has delay or loss. */
  relayCounts(): Promise<RelayCounts[]> {
    return Promise.all(this.#relays.map((relay) => relay.counts()))
  }

  /** Milliseconds that a connection from one machine to a port of another takes: one round trip. */
  roundTripMs(from: Machine, to: Machine, port: number): number {
    const command = [process.execPath, '-e', CONNECT_SCRIPT, to.host, String(port)]
    return Number(ip('netns', 'exec', from.namespace, ...command))
  }

  /** Ends whatever runs in the namespaces and removes everything; idempotent. */
  close(): void {
    for (const relay of this.#relays.splice(0)) relay.kill()
    for (const name of this.#namespaces.splice(0)) removeNamespace(name)
  }
}

function shaperOf(bits: number): string[] {
  const burst = String(Math.max(BURST_LENGTH_MIN, Math.round(bits / 8 / 250)))
  return ['tbf', 'rate', `${bits}bit`, 'burst', burst, 'latency', '100ms']
}

function shape(namespace: string, device: string, bits: number): void {
  ip('netns', 'exec', namespace, 'tc', 'qdisc', 'add', 'dev', device, 'root', ...shaperOf(bits))
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}

/** Kills what runs in a namespace of ours, and removes it. */
function removeNamespace(name: string): void {
  try {
    for (const pid of ip('netns', 'pids', name).split('\n').filter(Boolean)) killProcess(Number(pid))
    ip('netns', 'del', name)
  } catch {
    // It has gone already.
  }
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended meanwhile.
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
