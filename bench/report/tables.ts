/**
 * The results as text and tables for bench/RESULTS.md: each takes the place between `<!-- generated: name -->` and
 * `<!-- end of generated -->`. Every row leads to its JSON file, which says command, machine and load.
 */

import type { BuildRow } from '../build.ts'
import type { CloneRow } from '../clone.ts'
import type { Spread } from '../measure.ts'
import { markdown, totalOf } from '../sharing/print.ts'
import { type Answer, answersOf, type Piece } from './answers.ts'
import { absentFrom, allOf, circumstances, type Loaded, type Results, shortName } from './results.ts'
import { repositoriesOf, scores, wholeOf } from './scoreboard.ts'
import { dailyOverStored, sentWithinDay, shownOf } from './shown-strategies.ts'

/** Text that leads to the file of its run, by a name that `runs` defines. */
const linkTo = (text: string, id: string): string => `[${text}][${id}]`
const named = ({ id, result }: Loaded<{ readonly repository: string }>): string =>
  linkTo(shortName(result.repository), id)
const mb = (bytes: number): string => (bytes / 1e6).toFixed(2)
const rangeOf = ({ median, min, max, runs }: Spread): string =>
  runs > 1 ? `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})` : median.toFixed(2)
const boldRange = (ratio: Spread | null): string =>
  ratio === null ? '' : rangeOf(ratio).replace(/^[\d.]+/, (median) => `**${median}**`)

/** Rows of the whole history on all cores, and the others. */
function isWhole<T extends { readonly percent: number; readonly cores: number }>(row: T, rows: readonly T[]): boolean {
  return row.percent === 100 && row.cores === Math.max(...rows.map(({ cores }) => cores))
}

function answerText({ question, figure, unit, lines }: Answer): string {
  const pieceText = (piece: Piece): string => (typeof piece === 'string' ? piece : linkTo(piece.text, piece.id))
  const items = lines.map((pieces) => `- ${pieces.map(pieceText).join('')}`)
  return [`**${question}** **${figure}** ${unit}.`, '', ...items].join('\n')
}

function buildCells(row: BuildRow): string[] {
  const { linkBytes, repackBytes, build, repack, secondsRatio } = row
  return [
    mb(linkBytes),
    mb(repackBytes),
    `**${(linkBytes / repackBytes).toFixed(3)}**`,
    rangeOf(build.seconds),
    rangeOf(repack.seconds),
    boldRange(secondsRatio),
    `${build.cpuSeconds.median.toFixed(1)}, ${repack.cpuSeconds.median.toFixed(1)}`,
    `${build.peakMiB ?? '?'}, ${repack.peakMiB ?? '?'}`,
    String(secondsRatio.runs),
  ]
}

const BUILD_HEAD = ['links, MB', 'repack, MB', 'ratio', 'build, s', 'repack, s', 'ratio', 'CPU, s', 'peak MiB', 'runs']

function movedText({ bytes }: CloneRow): string {
  if (bytes === null) return ''
  const parts = [
    ['peers', bytes.peers],
    ['origin', bytes.origin],
    ['web', bytes.web],
  ] as const
  return parts
    .filter(([, count]) => count >= 5000)
    .map(([from, count]) => `${mb(count)} ${from}`)
    .join(', ')
}

const TABLES: Readonly<Record<string, (results: Results) => string>> = {
  answers: (results) => answersOf(results).map(answerText).join('\n\n'),
  score: (results) => {
    const columns = scores(results).filter(({ figures }) => figures.length > 0)
    const rows = repositoriesOf(results).map((repository) => {
      const cells = columns.map(({ figures }) => {
        const figure = figures.find((one) => one.repository === repository)
        return figure === undefined ? '' : linkTo(figure.text, figure.id)
      })
      return [shortName(repository), ...cells]
    })
    return markdown(['ours ÷ git', ...columns.map(({ title }) => title)], rows)
  },
  building: ({ build }) =>
    markdown(
      ['', 'commits', 'objects', 'links', ...BUILD_HEAD, 'again, s'],
      build.flatMap((loaded) => {
        const row = wholeOf(loaded.result.rows)
        if (row === null) return []
        const counts = [row.commits, row.objects, row.links].map(String)
        return [[named(loaded), ...counts, ...buildCells(row), row.again.seconds.median.toFixed(2)]]
      }),
    ),
  growth: ({ build }) =>
    markdown(
      ['', 'history', 'cores', ...BUILD_HEAD],
      build.flatMap((loaded) => {
        const { rows } = loaded.result
        const parts = rows
          .filter((row) => !isWhole(row, rows))
          .sort((a, b) => a.percent - b.percent || a.cores - b.cores)
        return parts.map((row) => [named(loaded), `${row.percent} %`, String(row.cores), ...buildCells(row)])
      }),
    ),
  cloning: ({ clone }) =>
    markdown(
      ['', 'what', 'way', 'seconds', '÷ git clone', 'CPU, s', 'peak MiB', 'moved, MB', 'stored, MB', 'runs'],
      clone.flatMap((loaded) =>
        loaded.result.rows
          .filter((row) => isWhole(row, loaded.result.rows))
          .map((row) => [
            named(loaded),
            row.scope === 'all' ? 'all refs' : 'main line',
            row.way,
            rangeOf(row.effort.seconds),
            boldRange(row.secondsRatio),
            row.effort.cpuSeconds.median.toFixed(1),
            String(row.effort.peakMiB ?? '?'),
            movedText(row),
            row.storedBytes === null ? '' : mb(row.storedBytes),
            String(row.effort.seconds.runs),
          ]),
      ),
    ),
  portions: ({ clone }) =>
    markdown(
      ['', 'history', 'cores', 'through the swarm, s', 'git clone, s', 'ratio', 'runs'],
      clone.flatMap((loaded) => {
        const { rows } = loaded.result
        const parts = rows.filter((row) => row.way === 'swarm' && row.scope === 'line' && !isWhole(row, rows))
        return parts.map((row) => {
          const { percent, cores, effort, secondsRatio } = row
          const plain = rows.find(
            (other) =>
              other.way === 'plain' && other.scope === 'line' && other.percent === percent && other.cores === cores,
          )
          const theirs = plain === undefined ? '' : rangeOf(plain.effort.seconds)
          const ours = rangeOf(effort.seconds)
          return [
            named(loaded),
            `${percent} %`,
            String(cores),
            ours,
            theirs,
            boldRange(secondsRatio),
            String(effort.seconds.runs),
          ]
        })
      }),
    ),
  reading: ({ clone }) =>
    markdown(
      ['', 'command', 'links, s', 'repack, s', 'ratio', 'runs'],
      clone.flatMap((loaded) =>
        loaded.result.reading.map(({ command, links, repack, ratio }) => [
          named(loaded),
          `\`${command}\``,
          rangeOf(links),
          rangeOf(repack),
          boldRange(ratio),
          String(ratio.runs),
        ]),
      ),
    ),
  rivals: ({ rivals }) =>
    [
      markdown(
        ['', 'way', 'seconds', '÷ git clone', 'MB on the wire', 'CPU, s', 'peak MiB', 'prepared in, s', 'runs'],
        rivals.flatMap((loaded) =>
          loaded.result.rows.map(({ way, effort, secondsRatio, wireBytes, prepareSeconds }) => [
            named(loaded),
            way,
            rangeOf(effort.seconds),
            boldRange(secondsRatio),
            wireBytes === null ? '' : mb(wireBytes),
            effort.cpuSeconds.median.toFixed(1),
            String(effort.peakMiB ?? '?'),
            prepareSeconds.toFixed(1),
            String(effort.seconds.runs),
          ]),
        ),
      ),
      ...absentFrom(rivals).map(({ way, reason }) => `\nNot measured: ${way}: ${reason}.`),
    ].join('\n'),
  swarm: ({ swarm }) =>
    markdown(
      ['', 'scenario', 'how', 'clones', 'all done, s', '× bound', 'origin sent, MB', 'F', 'runs', 'failed'],
      swarm.flatMap((loaded) =>
        loaded.result.rows.map((row) => [
          named(loaded),
          row.scenario,
          row.strategy,
          String(row.cloneCount),
          row.runCount > 1
            ? `${row.makespanSeconds.toFixed(1)} (${row.makespanRange.map((value) => value.toFixed(1)).join('–')})`
            : row.makespanSeconds.toFixed(1),
          row.makespanOverBound.toFixed(2),
          mb(row.originLength),
          row.originOverF.toFixed(2),
          String(row.runCount),
          String(row.failures.length),
        ]),
      ),
    ),
  folders: (results) =>
    markdown(
      ['', 'clones', 'way', 'origin sent, MB', 'folder, MB', 'peers, MB', 'seconds'],
      results.static.flatMap((loaded) =>
        loaded.result.ways.map(({ name, originBytes, webBytes, peerBytes, durationMs }) => [
          named(loaded),
          String(loaded.result.cloneCount),
          name,
          mb(originBytes),
          mb(webBytes),
          mb(peerBytes),
          (durationMs / 1000).toFixed(1),
        ]),
      ),
    ),
  flash: ({ flash }) =>
    markdown(
      ['scenario', 'peers', 'median peer ÷ bound', 'worst peer ÷ bound', 'seed uploads, F'],
      flash.flatMap(({ id, result }) =>
        Object.entries(result.results).map(([name, figures]) => {
          if ('leftOut' in figures) return [linkTo(name, id), '', figures.leftOut, '', '']
          const { peerCount, medianPeer, worstPeer, seedUploadPerF } = figures
          const medians = [medianPeer, worstPeer, seedUploadPerF].map(({ median }) => median.toFixed(2))
          return [linkTo(name, id), String(peerCount), ...medians]
        }),
      ),
    ),
  sharing: ({ sharing }) =>
    markdown(
      [
        '',
        'strategy',
        'shared within 30 min',
        'a day',
        'a week',
        'kept',
        'origin GB, no peers',
        'peers stay a day',
        'daily fetch ÷ new',
        'packs a day',
        'peers per swarm',
      ],
      sharing.flatMap((loaded) => {
        const [first] = loaded.result.runs
        return (first === undefined ? [] : shownOf(first)).map(({ label, role, outcome }) => {
          const { all, packsPerDay, peersPerSwarm } = outcome
          const share = (bytes: number): string => `${((bytes / totalOf(all)) * 100).toFixed(1)} %`
          const gb = (bytes: number): string => (bytes / 1e9).toFixed(bytes < 1e11 ? 1 : 0)
          return [
            named(loaded),
            role === 'ours' ? `**${label}**` : label,
            ...all.within.map(share),
            share(all.everBefore),
            gb(totalOf(all)),
            gb(sentWithinDay(all)),
            dailyOverStored(outcome)?.toFixed(2) ?? '',
            packsPerDay.toFixed(0),
            peersPerSwarm.toFixed(0),
          ]
        })
      }),
    ),
  kernels: ({ micro }) =>
    markdown(
      ['kernel', 'ns per byte', 'times its bound', 'bound', 'times the other build'],
      micro.flatMap(({ id, result }) =>
        Object.entries(result.kernels).map(([name, { nsPerByte, bound, ratio, against }]) => [
          linkTo(name, id),
          nsPerByte.toPrecision(3),
          bound === null ? '' : `${ratio[1].toPrecision(3)} (${ratio[0].toPrecision(3)}–${ratio[2].toPrecision(3)})`,
          bound ?? 'is one',
          against === null ? '' : `${against[1].toFixed(2)} (${against[0].toFixed(2)}–${against[2].toFixed(2)})`,
        ]),
      ),
    ),
  runs: (results) => {
    const all = allOf(results)
    const table = markdown(
      ['run', 'command', 'machine'],
      all.map(({ id, result }) => [linkTo(id, id), `\`${result.command}\``, circumstances(result)]),
    )
    return `${table}\n\n${all.map(({ id }) => `[${id}]: results/${id}.json`).join('\n')}`
  },
}

/** Results that a part needs; without them it is empty, because its links would lead nowhere. */
const NEEDS: Readonly<Record<string, readonly (keyof Results)[]>> = {
  answers: ['build', 'clone'],
  score: ['build', 'clone'],
  building: ['build'],
  growth: ['build'],
  cloning: ['clone'],
  portions: ['clone'],
  reading: ['clone'],
  rivals: ['rivals'],
  swarm: ['swarm'],
  folders: ['static'],
  flash: ['flash'],
  sharing: ['sharing'],
  kernels: ['micro'],
  runs: [],
}

/** The document with every generated part made anew. @throws Error for a part that nobody makes */
export function documentWith(text: string, results: Results): string {
  const parts = /(<!-- generated: (\w+) -->\n)([\s\S]*?)(<!-- end of generated -->)/g
  return text.replace(parts, (_, begin: string, name: string, __: string, end: string) => {
    const make = TABLES[name]
    if (make === undefined)
      throw new Error(`RESULTS.md: expected one of ${Object.keys(TABLES).join(', ')}, got ${name}`)
    const isThere = (NEEDS[name] ?? []).every((kind) => results[kind].length > 0)
    return begin + (isThere ? `\n${make(results)}\n\n` : '') + end
  })
}

/** Names of the parts, for tests. */
export const PART_NAMES = Object.keys(TABLES)
