/**
 * Question: how close to what physics allows do N peers get that start together behind one seed with a slow uplink?
 * Real processes in network namespaces, lines shaped by `tc`; the seed's uplink is an eighth of each peer's line.
 *   npm run bench:flash -- [--mbit=10] [--mib=16] [--runs=3] [crowd] [few] [many] [leaving] [slow] [loss]
 * Bound: max(F/u_s, F/d_min, N·F/(u_s + Σu_i)), F the content and u, d the shaped rates, headers of TCP/IP not taken off.
 * `loss` has round trips of 30 ms and loses 1 % of all frames; what was lost and what a round trip took is measured and
 * printed, and what plain TCP makes of the same lines: the seed's machine sends each peer F/N, all at once.
 * Prints one JSON object. Needs root, `ip`, `tc`, for `loss` a C compiler. Removes what it built, also when interrupted.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { encodeInfo, infohashOf, pieceLengthOf } from '../engine/index.ts'
import { FLASH_PORT, FlashNetwork, type Line, type Machine, obstacle } from './flash-network.ts'
import type { FlashOrder, FlashReport } from './flash-peer.ts'
import { fluidBound } from './fluid-bound.ts'

/** The peers' lines, in multiples of the seed's uplink. */
const PEER_FACTOR = 8

interface Scenario {
  readonly peerCount: number
  /** Peers that are killed when they have half of it. */
  readonly leaverCount?: number
  /** Peers whose line is ten times slower than the others'. */
  readonly slowCount?: number
  readonly delayMs?: number
  readonly lossPercent?: number
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  crowd: { peerCount: 16 },
  few: { peerCount: 4 },
  many: { peerCount: 32 },
  leaving: { peerCount: 16, leaverCount: 2 },
  slow: { peerCount: 16, slowCount: 1 },
  // 15 ms each way.
  loss: { peerCount: 16, delayMs: 15, lossPercent: 1 },
}

interface Content {
  readonly order: Omit<FlashOrder, 'host' | 'seed' | 'file'>
  readonly file: string
}

const folder = mkdtempSync(join(tmpdir(), 'gittorrent-flash-'))
const children = new Set<ChildProcess>()
let network: FlashNetwork | null = null

/** Ends what a run has started. */
function endRun(): void {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
  network?.close()
  network = null
}

function cleanUp(): void {
  endRun()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

function makeContent(lengthBytes: number): Content {
  const bytes = randomBytes(lengthBytes)
  const pieceLength = pieceLengthOf(lengthBytes)
  const sha1 = (part: Uint8Array): Buffer => createHash('sha1').update(part).digest()
  const hashes: Buffer[] = []
  for (let at = 0; at < lengthBytes; at += pieceLength) hashes.push(sha1(bytes.subarray(at, at + pieceLength)))
  const info = encodeInfo({ name: 'flash', length: lengthBytes, pieceLength, pieces: Buffer.concat(hashes) })
  const file = join(folder, 'content')
  writeFileSync(file, bytes)
  return {
    file,
    order: {
      infohash: Buffer.from(infohashOf(info, sha1)).toString('hex'),
      info: Buffer.from(info).toString('base64'),
      lengthBytes,
      pieceLengthBytes: pieceLength,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    },
  }
}

/** A process in a machine, and what it has said. */
class Peer {
  readonly machine: Machine
  readonly child: ChildProcess
  readonly ready: Promise<unknown>
  readonly #waiting = new Map<string, (message: FlashReport) => void>()

  constructor(machine: Machine, order: FlashOrder) {
    this.machine = machine
    const script = fileURLToPath(new URL('./flash-peer.js', import.meta.url))
    this.child = spawn('ip', ['netns', 'exec', machine.namespace, process.execPath, script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    children.add(this.child)
    this.child.on('exit', () => children.delete(this.child))
    this.child.stdin?.on('error', () => {})
    if (this.child.stdout !== null) {
      createInterface({ input: this.child.stdout }).on('line', (line) => {
        const message = JSON.parse(line)
        this.#waiting.get(message.type)?.(message)
      })
    }
    this.ready = this.says('ready')
    this.ready.catch(() => {})
    this.order(order)
  }

  order(message: object): void {
    this.child.stdin?.write(`${JSON.stringify(message)}\n`)
  }

  says(type: string): Promise<FlashReport> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(type, resolve)
      this.child.once('exit', () => reject(new Error('a peer ended too early')))
    })
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('exit', resolve))
    if (!children.has(this.child)) return
    this.order({ type: 'stop' })
    await ended
  }
}

function lineOf(seedBits: number, scenario: Scenario, index: number): Line {
  const bits = (seedBits * PEER_FACTOR) / (index < (scenario.slowCount ?? 0) ? 10 : 1)
  return { upBits: bits, downBits: bits, ...mannerOf(scenario) }
}

function mannerOf({ delayMs, lossPercent }: Scenario): Pick<Line, 'delayMs' | 'lossPercent'> {
  return delayMs === undefined ? {} : { delayMs, lossPercent: lossPercent ?? 0 }
}

/** What the network did to frames, and what a round trip took before anything was sent; null on lines that lose nothing. */
async function qualityOf(built: FlashNetwork, roundTripMs: number) {
  const counts = await built.relayCounts()
  if (counts.length === 0) return null
  const sum = (key: 'seen' | 'lost'): number => counts.reduce((total, count) => total + count[key], 0)
  return {
    lostPercent: (sum('lost') * 100) / sum('seen'),
    roundTripMs,
    lateMs: counts.reduce((total, count) => total + count.lateMs, 0) / counts.length,
    worstLateMs: Math.max(...counts.map(({ worstLateMs }) => worstLateMs)),
  }
}

/** Seconds that plain TCP takes from one machine to the others, each an equal share of `lengthBytes`, all at once. */
async function plainSeconds(seed: Peer, peers: readonly Peer[], lengthBytes: number): Promise<number> {
  const order = { type: 'plain', lengthBytes: Math.ceil(lengthBytes / peers.length) }
  const listening = seed.says('plain')
  seed.order(order)
  await listening
  const startedMs = performance.now()
  const taken = peers.map((peer) => peer.says('plain'))
  for (const peer of peers) peer.order(order)
  await Promise.all(taken)
  return (performance.now() - startedMs) / 1000
}

async function runOnce(content: Content, seedBits: number, scenario: Scenario) {
  const built = new FlashNetwork()
  network = built
  const lines = Array.from({ length: scenario.peerCount }, (_, index) => lineOf(seedBits, scenario, index))
  const seedLine = { upBits: seedBits, downBits: seedBits * PEER_FACTOR, ...mannerOf(scenario) }
  const seedMachine = await built.add(seedLine)
  const seed = new Peer(seedMachine, { ...content.order, host: seedMachine.host, seed: null, file: content.file })
  const peers: Peer[] = []
  for (const [index, line] of lines.entries()) {
    const machine = await built.add(line)
    const file = join(folder, `peer-${index}`)
    peers.push(new Peer(machine, { ...content.order, host: machine.host, seed: seedMachine.host, file }))
  }
  built.introduce()
  await Promise.all([seed, ...peers].map((peer) => peer.ready))
  const [first] = peers
  const roundTripMs = first === undefined ? 0 : built.roundTripMs(first.machine, seedMachine, FLASH_PORT)
  const leavers = peers.slice(scenario.peerCount - (scenario.leaverCount ?? 0))
  const stayers = peers.slice(0, scenario.peerCount - leavers.length)
  for (const leaver of leavers)
    void leaver.says('half').then(
      () => leaver.child.kill('SIGKILL'),
      () => {},
    )
  const sentBefore = built.sentLength(seedMachine)
  const startedMs = performance.now()
  for (const peer of [seed, ...peers]) peer.order({ type: 'go' })
  const outcomes = await Promise.all(
    stayers.map(async (peer) => {
      const report = await peer.says('done')
      return { seconds: (performance.now() - startedMs) / 1000, ...report }
    }),
  )
  const wireLength = built.sentLength(seedMachine) - sentBefore
  const { lengthBytes } = content.order
  const plain = scenario.lossPercent === undefined ? null : await plainSeconds(seed, stayers, lengthBytes)
  const seedDone = seed.says('done')
  seed.order({ type: 'stop' })
  const { servedLength, cpuSeconds } = await seedDone
  const quality = await qualityOf(built, roundTripMs)
  await Promise.all(peers.map((peer) => peer.stop()))
  built.close()
  network = null
  for (const index of peers.keys()) rmSync(join(folder, `peer-${index}`), { force: true })
  const bound = fluidBound({ lengthBytes, sourceBits: seedBits, lines })
  const seconds = outcomes.map((outcome) => outcome.seconds).sort((a, b) => a - b)
  return {
    median: (seconds[seconds.length >> 1] ?? 0) / bound,
    worst: (seconds.at(-1) ?? 0) / bound,
    seedUpload: servedLength / lengthBytes,
    seedWire: wireLength / lengthBytes,
    bound,
    seedCpuSeconds: cpuSeconds,
    peerCpuSeconds: middle(outcomes.map((outcome) => outcome.cpuSeconds)),
    peerPeakMiB: Math.max(...outcomes.map((outcome) => outcome.peakMiB)),
    plain: plain === null ? null : plain / bound,
    quality,
  }
}

type Outcome = Awaited<ReturnType<typeof runOnce>>

function inWords({ median, worst, seedUpload, plain, quality }: Outcome): string {
  const outcome = `median ${round(median)}, worst ${round(worst)}, seed ${round(seedUpload)} F`
  if (quality === null || plain === null) return outcome
  const { lostPercent, roundTripMs, lateMs } = quality
  const late = `frames ${round(lateMs)} ms late on average`
  return `${outcome}; plain TCP ${round(plain)}; measured: ${round(lostPercent)} % lost, round trip ${round(roundTripMs)} ms, ${late}`
}

/** The outcomes of `count` runs, and why others failed: one that fails costs its own figures only. */
async function runAll(name: string, count: number, run: () => Promise<Outcome>) {
  const runs: Outcome[] = []
  const failures: string[] = []
  for (let at = 0; at < count; at++) {
    try {
      const outcome = await run()
      process.stderr.write(`${name}: ${inWords(outcome)}\n`)
      runs.push(outcome)
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error))
      process.stderr.write(`${name}: FAILED: ${failures.at(-1)}\n`)
      endRun()
    }
  }
  return { runs, failures }
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000
}

async function main(): Promise<void> {
  const option = (name: string, otherwise: number): number =>
    Number(process.argv.find((arg) => arg.startsWith(`--${name}=`))?.split('=')[1] ?? otherwise)
  const seedBits = option('mbit', 10) * 1e6
  const chosen = process.argv.slice(2).filter((arg) => !arg.startsWith('--'))
  const names = chosen.length > 0 ? chosen : Object.keys(SCENARIOS)
  const impossible = obstacle(false)
  if (impossible !== null) {
    process.stderr.write(`bench:flash: ${impossible}; nothing was measured\n`)
    return
  }
  const content = makeContent(option('mib', 16) * 2 ** 20)
  const results: Record<string, unknown> = {}
  for (const name of names) {
    const scenario = SCENARIOS[name]
    if (scenario === undefined) throw new Error(`expected one of ${Object.keys(SCENARIOS).join(', ')}, got ${name}`)
    const missing = obstacle(scenario.delayMs !== undefined)
    if (missing !== null) {
      process.stderr.write(`${name}: ${missing}; left out\n`)
      results[name] = { leftOut: missing }
      continue
    }
    const { runs, failures } = await runAll(name, option('runs', 3), () => runOnce(content, seedBits, scenario))
    if (failures.length > 0) process.exitCode = 1
    if (runs.length === 0) {
      results[name] = { leftOut: `failed: ${failures.join('; ')}` }
      continue
    }
    const of = (key: Exclude<keyof Outcome, 'quality' | 'plain'>): { median: number; min: number; max: number } => {
      const values = runs.map((run) => run[key])
      return { median: round(middle(values)), min: round(Math.min(...values)), max: round(Math.max(...values)) }
    }
    results[name] = {
      ...scenario,
      boundSeconds: of('bound').median,
      medianPeer: of('median'),
      worstPeer: of('worst'),
      seedUploadPerF: of('seedUpload'),
      seedWirePerF: of('seedWire'),
      seedCpuSeconds: of('seedCpuSeconds').median,
      peerCpuSeconds: of('peerCpuSeconds').median,
      peerPeakMiB: of('peerPeakMiB').median,
      ...(failures.length === 0 ? {} : { failures }),
      ...(scenario.delayMs === undefined
        ? {}
        : { plainTcp: middle(runs.map(({ plain }) => plain ?? 0)), measured: runs.map(({ quality }) => quality) }),
    }
  }
  const machine = {
    cpu: cpus()[0]?.model ?? '',
    threads: availableParallelism(),
    load: loadavg()[0],
    node: process.version,
  }
  process.stdout.write(
    `${JSON.stringify({ seedBits, lengthBytes: content.order.lengthBytes, machine, results }, null, 2)}\n`,
  )
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // Not once: a second signal must not end us in the middle of it.
  process.on(signal, () => {
    cleanUp()
    process.exit(1)
  })
}
try {
  await main()
} finally {
  cleanUp()
}
