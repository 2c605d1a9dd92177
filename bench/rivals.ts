/**
 * Question: what does it take to get a whole repository (all branches and tags) by other means, measured here and not quoted?
 * Stock git from a daemon and with --bundle-uri, Dulwich; rsync and Syncthing of the bare repository; zsync and casync on a bundle; aria2,
 * libtorrent and Transmission on its torrent; IPFS; and GitTorrent: same repository, same loopback, by turns, each until a bare
 * repository with all refs is there.
 *   npm run bench:rivals -- <repository> [--runs 3] [--json <file>] [--name <name>] [--helia <folder>] [--install]
 * Runs in a network namespace of its own where it may make one (Transmission needs that: it refuses 127.0.0.0/8; and only
 * there are bytes counted). --install gets missing packages from Debian's archive (as root); --helia names a folder in
 * which `npm install --ignore-scripts helia@5 @helia/unixfs@5` was run. What is missing is named, and left out.
 */

import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { DemoWorld } from './demo-world.ts'
import { type GivenRepository, givenRepository } from './given-repository.ts'
import { type Effort, effortOf, type Measured, measure, ratios, type Spread } from './measure.ts'
import { type About, about, writeResult } from './result-file.ts'
import { HOSTS, sentOnLoopback, setUpNamespace } from './rivals/namespace.ts'
import type { Rival } from './rivals/rival.ts'
import { missingPackages, rivalsIn, UNAVAILABLE } from './rivals/ways.ts'
import { install } from './torrent-clients.ts'

export interface RivalRow {
  readonly way: string
  readonly effort: Effort
  /** Against git's clone from the daemon in the same round; null for that one. */
  readonly secondsRatio: Spread | null
  /** All that passed the loopback, headers, both ways; null where it was not counted. */
  readonly wireBytes: number | null
  /** Once, on the serving side, before anybody can clone this way. */
  readonly prepareSeconds: number
}

export interface RivalsReport extends About {
  readonly bench: 'rivals'
  readonly rows: readonly RivalRow[]
  /** What could not be had, and how it was tried. */
  readonly absent: readonly { readonly way: string; readonly reason: string }[]
}

interface Entry {
  readonly rival: Rival
  readonly measured: Measured[]
  wireBytes: number | null
  prepareSeconds: number
}

/** Refs and their objects: what every way has to end with. */
async function refsOf(world: DemoWorld, name: string): Promise<string> {
  return world.git('-C', name, 'for-each-ref', '--format=%(objectname) %(refname)', 'refs/heads', 'refs/tags')
}

/** Patience with a rival: two minutes, or twelve times what git needed. */
function limitOf([plain]: readonly Entry[]): number {
  return Math.ceil(Math.max(120, 12 * (plain?.measured[0]?.seconds ?? 100)))
}

async function prepare(entry: Entry): Promise<void> {
  process.stderr.write(`${entry.rival.way}: preparing\n`)
  const startedMs = performance.now()
  await entry.rival.prepare()
  entry.prepareSeconds = (performance.now() - startedMs) / 1000
}

async function measureOnce(world: DemoWorld, entry: Entry, expected: string, secondsMax: number): Promise<void> {
  const { rival } = entry
  await world.run('rm', ['-rf', 'target.git', 'got'])
  await world.run('mkdir', ['got'])
  const command = await rival.before()
  process.stderr.write(`${rival.way}: run ${entry.measured.length + 1}\n`)
  const before = sentOnLoopback()
  entry.measured.push(await measure(world, command, { secondsMax }))
  entry.wireBytes = before === null ? null : (sentOnLoopback() ?? 0) - before
  await rival.after()
  if ((await refsOf(world, 'target.git')) !== expected)
    throw new Error(`${rival.way}: expected the refs of the origin, got others`)
}

function rowOf({ rival, measured, wireBytes, prepareSeconds }: Entry, [plain]: readonly Entry[]): RivalRow {
  const secondsOf = (runs: readonly Measured[]): number[] => runs.map(({ seconds }) => seconds)
  const secondsRatio =
    plain === undefined || plain.rival === rival ? null : ratios(secondsOf(measured), secondsOf(plain.measured))
  return { way: rival.way, effort: effortOf(measured), secondsRatio, wireBytes, prepareSeconds }
}

function printRow({ way, effort, secondsRatio, wireBytes, prepareSeconds }: RivalRow): void {
  const { median, min, max, runs } = effort.seconds
  const bytes = wireBytes === null ? '' : `, ${(wireBytes / 1e6).toFixed(1)} MB on the wire`
  const ratio = secondsRatio === null ? '' : `, ${secondsRatio.median} of plain git`
  const cost = `CPU ${effort.cpuSeconds.median} s, ${effort.peakMiB} MiB`
  console.log(
    `${way}: ${median} s (${min} to ${max}, ${runs} runs)${ratio}${bytes}; ${cost}; prepared in ${prepareSeconds.toFixed(1)} s`,
  )
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '3' },
    json: { type: 'string' },
    name: { type: 'string' },
    helia: { type: 'string' },
    install: { type: 'boolean' },
    inside: { type: 'boolean' },
  },
})

/** Runs itself again in a namespace of its own; false where the system does not let us. */
function runInside(): boolean {
  if (spawnSync('unshare', ['--net', 'ip', 'link', 'set', 'lo', 'up']).status !== 0) return false
  const args = ['--net', process.execPath, ...process.argv.slice(1), '--inside']
  process.exitCode = spawnSync('unshare', args, { stdio: 'inherit' }).status ?? 1
  return true
}

async function main({ name, gitDir }: GivenRepository): Promise<void> {
  const isInside = values.inside === true && setUpNamespace()
  const run = about('rivals', values.name ?? name, [`--runs ${values.runs}`])
  const world = await DemoWorld.open()
  const entries: Entry[] = []
  const absent: { way: string; reason: string }[] = [...UNAVAILABLE]
  try {
    await world.git('clone', '--quiet', '--bare', `file://${gitDir}`, 'origin.git')
    await world.git('-C', 'origin.git', 'repack', '-adq')
    await world.git('-C', 'origin.git', 'pack-refs', '--all')
    await world.startDaemon()
    const rivals = rivalsIn(world, { hosts: isInside ? HOSTS : null, helia: values.helia ?? null })
    const expected = await refsOf(world, 'origin.git')
    for (const rival of rivals) {
      const reason = await rival.missing()
      if (reason !== null) absent.push({ way: rival.way, reason })
      else entries.push({ rival, measured: [], wireBytes: null, prepareSeconds: 0 })
    }
    // A rival that fails is left out with its words; ours and git have no such mercy.
    const attempt = async (entry: Entry, act: () => Promise<void>): Promise<void> => {
      if (absent.some(({ way }) => way === entry.rival.way)) return
      const isSpared = !/^git clone$|^GitTorrent/.test(entry.rival.way)
      await act().catch((cause: unknown) => {
        if (!isSpared) throw cause
        absent.push({ way: entry.rival.way, reason: `it failed: ${cause instanceof Error ? cause.message : cause}` })
      })
    }
    for (const entry of entries) await attempt(entry, () => prepare(entry))
    for (let round = 0; round < Number(values.runs); round++)
      for (const entry of entries) await attempt(entry, () => measureOnce(world, entry, expected, limitOf(entries)))
    const complete = entries.filter(({ rival }) => !absent.some(({ way }) => way === rival.way))
    const rows = complete.map((entry) => rowOf(entry, complete))
    rows.forEach(printRow)
    for (const { way, reason } of absent) console.log(`${way}: not measured, ${reason}`)
    const report: RivalsReport = { ...run, bench: 'rivals', rows, absent }
    writeResult(values.json, report)
  } finally {
    for (const { rival } of entries.reverse()) await rival.close()
    await world.close()
  }
}

const usage = 'npm run bench:rivals -- <repository> [--runs <number>] [--json <file>] [--install] [--helia <folder>]'
const given = givenRepository(positionals[0], usage)
if (values.install === true && values.inside !== true) await install(await missingPackages())
if (values.inside === true || !runInside()) await main(given)
