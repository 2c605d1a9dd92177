/**
 * The results that a report is made of: JSON files of one folder, told apart by their `bench`, in a fixed order: the
 * repositories with the most commits first.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { BuildReport } from '../build.ts'
import type { CloneReport } from '../clone.ts'
import type { MicroReport } from '../micro/report.ts'
import type { About } from '../result-file.ts'
import type { RivalsReport } from '../rivals.ts'
import type { GrainReport } from '../sharing/grain-report.ts'
import type { Report as SharingReport } from '../sharing/print.ts'
import type { StaticReport } from '../static.ts'
import type { SwarmReport } from '../swarm-rows.ts'

interface FlashFigure {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** What bench:flash prints, as bench:all keeps it. */
export interface FlashReport extends About {
  readonly bench: 'flash'
  readonly results: Readonly<
    Record<
      string,
      | { readonly leftOut: string }
      | {
          readonly peerCount: number
          readonly leaverCount?: number
          readonly slowCount?: number
          readonly lossPercent?: number
          readonly medianPeer: FlashFigure
          readonly worstPeer: FlashFigure
          readonly seedUploadPerF: FlashFigure
        }
    >
  >
}

/** A result with the name of its file, which is also the name of its place on the page. */
export interface Loaded<T> {
  readonly id: string
  readonly result: T
}

export interface Results {
  readonly build: readonly Loaded<BuildReport>[]
  readonly clone: readonly Loaded<CloneReport>[]
  readonly rivals: readonly Loaded<RivalsReport>[]
  readonly sharing: readonly Loaded<SharingReport>[]
  readonly grain: readonly Loaded<GrainReport>[]
  readonly micro: readonly Loaded<MicroReport>[]
  readonly swarm: readonly Loaded<SwarmReport>[]
  readonly flash: readonly Loaded<FlashReport>[]
  readonly static: readonly Loaded<StaticReport>[]
}

type AnyResult = Results[keyof Results][number]['result']

export function readResults(folder: string): Results {
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'))
  const all = names.sort(byText).map((name): Loaded<AnyResult> => {
    return { id: basename(name, '.json'), result: JSON.parse(readFileSync(join(folder, name), 'utf8')) }
  })
  return sortResults(all)
}

/** Results by their kind. */
export function sortResults(all: readonly Loaded<AnyResult>[]): Results {
  const of = <T extends AnyResult>(bench: string): Loaded<T>[] =>
    all.filter(({ result }) => result.bench === bench) as Loaded<T>[]
  const build = of<BuildReport>('build')
  const commits = new Map(
    build.map(({ result }) => [result.repository, Math.max(...result.rows.map((row) => row.commits))]),
  )
  const bySize = (a: Loaded<AnyResult>, b: Loaded<AnyResult>): number =>
    (commits.get(b.result.repository) ?? 0) - (commits.get(a.result.repository) ?? 0) || byText(a.id, b.id)
  return {
    build: build.sort(bySize),
    clone: of<CloneReport>('clone').sort(bySize),
    rivals: of<RivalsReport>('rivals').sort(bySize),
    sharing: of<SharingReport>('sharing').sort(bySize),
    grain: of<GrainReport>('grain').sort(bySize),
    micro: of('micro'),
    swarm: of<SwarmReport>('swarm').sort(bySize),
    flash: of('flash'),
    static: of<StaticReport>('static').sort(bySize),
  }
}

/** Rivals that no run measured, each with the newest reason. */
export function absentFrom(rivals: Results['rivals']): readonly { readonly way: string; readonly reason: string }[] {
  const measured = new Set(rivals.flatMap(({ result }) => result.rows.map(({ way }) => way)))
  const byDay = [...rivals].sort((a, b) => byText(a.result.day, b.result.day))
  const all = byDay.flatMap(({ result }) => result.absent).filter(({ way }) => !measured.has(way))
  return [...new Map(all.map((one) => [one.way, one])).values()]
}

/** Every result, in the order of the page. */
export function allOf(results: Results): readonly Loaded<AnyResult>[] {
  const { build, clone, rivals, swarm, flash, sharing, grain, micro } = results
  return [...build, ...clone, ...rivals, ...swarm, ...results.static, ...flash, ...sharing, ...grain, ...micro]
}

/** A repository's name without its owner, for labels. */
export function shortName(repository: string): string {
  return repository.replace(/^.*\//, '')
}

/** Machine, load and day. */
export function circumstances({ machine, load, day }: AnyResult): string {
  return `${machine}, load ${load}, ${day}`
}

/** Where a number leads: the row of its run at the end of the page. */
export function anchorOf({ id }: { readonly id: string }): string {
  return `#run-${id}`
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
