/**
 * The results as tables for bench/RESULTS.md: each takes the place between `<!-- generated: name -->` and
 * `<!-- end of generated -->`. Every row leads to its JSON file, which says command, machine and load.
 */

import type { Spread } from '../measure.ts'
import { markdown, table as sharingTable } from '../sharing/print.ts'
import { allOf, circumstances, type Loaded, type Results } from './results.ts'
import { scores } from './scoreboard.ts'

/** A load above the number of cores means that other work ran: whoever reads the row should see it there. */
const link = ({ id, result }: Loaded<object>): string =>
  `[run](results/${id}.json)${'load' in result ? `, load ${result.load}` : ''}`
const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(2)}`
const secondsOf = ({ median, min, max }: Spread): string => `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`
const ratioOf = (ratio: Spread | null): string =>
  ratio === null ? '' : `**${ratio.median.toFixed(2)}** (${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)})`

const TABLES: Readonly<Record<string, (results: Results) => string>> = {
  score: (results) => {
    const columns = scores(results).filter(({ cells }) => cells.size > 0)
    const repositories = [...new Set([...results.build, ...results.clone].map(({ result }) => result.repository))]
    return markdown(
      ['ours ÷ git', ...columns.map(({ title }) => title)],
      repositories.map((repository) => [repository, ...columns.map(({ cells }) => cells.get(repository)?.text ?? '')]),
    )
  },
  building: ({ build }) =>
    markdown(
      [
        'repository',
        'history',
        'cores',
        'commits',
        'objects',
        'links',
        'links, MB',
        'repack, MB',
        'ratio',
        'build, s',
        'repack, s',
        'time ratio',
        'runs',
        'CPU, s: build, repack',
        'peak MiB: build, repack',
        'again, s',
        '',
      ],
      build.flatMap((loaded) =>
        loaded.result.rows.map((row) => [
          loaded.result.repository,
          `${row.percent} %`,
          String(row.cores),
          String(row.commits),
          String(row.objects),
          String(row.links),
          mb(row.linkBytes),
          mb(row.repackBytes),
          `**${(row.linkBytes / row.repackBytes).toFixed(3)}**`,
          secondsOf(row.build.seconds),
          secondsOf(row.repack.seconds),
          ratioOf(row.secondsRatio),
          String(row.secondsRatio.runs),
          `${row.build.cpuSeconds.median.toFixed(1)}, ${row.repack.cpuSeconds.median.toFixed(1)}`,
          `${row.build.peakMiB ?? '?'}, ${row.repack.peakMiB ?? '?'}`,
          row.again.seconds.median.toFixed(2),
          link(loaded),
        ]),
      ),
    ),
  cloning: ({ clone }) =>
    markdown(
      [
        'repository',
        'what',
        'way',
        'cores',
        'seconds',
        '÷ git clone',
        'runs',
        'CPU, s',
        'peak MiB',
        'MB from peers',
        'origin',
        'web',
        'stored, MB',
        '',
      ],
      clone.flatMap((loaded) =>
        loaded.result.rows.map(({ scope, percent: part, way, cores, effort, secondsRatio, bytes, storedBytes }) => [
          loaded.result.repository,
          scope === 'all' ? 'all refs' : part === 100 ? 'main line' : `main line, ${part} %`,
          way,
          String(cores),
          secondsOf(effort.seconds),
          ratioOf(secondsRatio),
          String(effort.seconds.runs),
          effort.cpuSeconds.median.toFixed(1),
          String(effort.peakMiB ?? '?'),
          ...(bytes === null
            ? ['', '', '']
            : [bytes.peers, bytes.origin, bytes.web].map((count) => (count === 0 ? '' : mb(count)))),
          storedBytes === null ? '' : mb(storedBytes),
          link(loaded),
        ]),
      ),
    ),
  reading: ({ clone }) =>
    markdown(
      ['repository', 'command', 'links, s', 'repack, s', 'ratio', 'runs', ''],
      clone.flatMap((loaded) =>
        loaded.result.reading.map(({ command, links, repack, ratio }) => [
          loaded.result.repository,
          `\`${command}\``,
          secondsOf(links),
          secondsOf(repack),
          ratioOf(ratio),
          String(ratio.runs),
          link(loaded),
        ]),
      ),
    ),
  rivals: ({ rivals }) =>
    [
      markdown(
        [
          'repository',
          'way',
          'seconds',
          '÷ git clone',
          'runs',
          'MB on the wire',
          'CPU, s',
          'peak MiB',
          'prepared in, s',
          '',
        ],
        rivals.flatMap((loaded) =>
          loaded.result.rows.map(({ way, effort, secondsRatio, wireBytes, prepareSeconds }) => [
            loaded.result.repository,
            way,
            secondsOf(effort.seconds),
            ratioOf(secondsRatio),
            String(effort.seconds.runs),
            wireBytes === null ? '' : mb(wireBytes),
            effort.cpuSeconds.median.toFixed(1),
            String(effort.peakMiB ?? '?'),
            prepareSeconds.toFixed(1),
            link(loaded),
          ]),
        ),
      ),
      ...(rivals[0]?.result.absent ?? []).map(({ way, reason }) => `\nNot measured: ${way}: ${reason}.`),
    ].join('\n'),
  swarm: ({ swarm }) =>
    markdown(
      [
        'repository',
        'scenario',
        'how',
        'clones',
        'all done, s',
        '× bound',
        'origin sent, MB',
        '× F',
        'runs',
        'failed',
        '',
      ],
      swarm.flatMap((loaded) =>
        loaded.result.rows.map((row) => [
          loaded.result.repository,
          row.scenario,
          row.strategy,
          String(row.cloneCount),
          `${row.makespanSeconds.toFixed(1)} (${row.makespanRange.map((value) => value.toFixed(1)).join('–')})`,
          row.makespanOverBound.toFixed(2),
          mb(row.originLength),
          row.originOverF.toFixed(2),
          String(row.runCount),
          String(row.failures.length),
          link(loaded),
        ]),
      ),
    ),
  folders: (results) =>
    markdown(
      ['repository', 'clones', 'way', 'origin sent, MB', 'folder, MB', 'peers, MB', 'seconds', ''],
      results.static.flatMap((loaded) =>
        loaded.result.ways.map(({ name, originBytes, webBytes, peerBytes, durationMs }) => [
          loaded.result.repository,
          String(loaded.result.cloneCount),
          name,
          mb(originBytes),
          mb(webBytes),
          mb(peerBytes),
          (durationMs / 1000).toFixed(1),
          link(loaded),
        ]),
      ),
    ),
  flash: ({ flash }) =>
    markdown(
      ['scenario', 'peers', 'median peer ÷ bound', 'worst peer ÷ bound', 'seed uploads, F', ''],
      flash.flatMap((loaded) =>
        Object.entries(loaded.result.results).map(([name, figures]) => {
          if ('leftOut' in figures) return [name, '', figures.leftOut, '', '', link(loaded)]
          const { peerCount, medianPeer, worstPeer, seedUploadPerF } = figures
          return [
            name,
            String(peerCount),
            ...[medianPeer, worstPeer, seedUploadPerF].map(({ median }) => median.toFixed(2)),
            link(loaded),
          ]
        }),
      ),
    ),
  sharing: ({ sharing }) =>
    sharing
      .map((loaded) => {
        const { repository, commitsInWindow, days, runs, seed } = loaded.result
        const [first] = runs
        if (first === undefined) return ''
        const about = `**${repository}**, ${commitsInWindow} main-line commits in ${days} days, ${first.fetches} fetches, seed ${seed}, ${link(loaded)}:`
        return `${about}\n\n${sharingTable(first.outcomes)}`
      })
      .join('\n\n'),
  kernels: ({ micro }) =>
    markdown(
      ['kernel', 'ns per byte', 'times its bound', 'bound', 'times the other build', ''],
      micro.flatMap((loaded) =>
        Object.entries(loaded.result.kernels).map(([name, { nsPerByte, bound, ratio, against }]) => [
          name,
          nsPerByte.toPrecision(3),
          bound === null ? '' : `${ratio[1].toPrecision(3)} (${ratio[0].toPrecision(3)}–${ratio[2].toPrecision(3)})`,
          bound ?? 'is one',
          against === null ? '' : `${against[1].toFixed(2)} (${against[0].toFixed(2)}–${against[2].toFixed(2)})`,
          link(loaded),
        ]),
      ),
    ),
  runs: (results) =>
    markdown(
      ['command', 'machine', ''],
      allOf(results).map((loaded) => [`\`${loaded.result.command}\``, circumstances(loaded.result), link(loaded)]),
    ),
}

/** Results that a table needs; without them it is empty, because its links would lead nowhere. */
const NEEDS: Readonly<Record<string, readonly (keyof Results)[]>> = {
  score: ['build', 'clone'],
  building: ['build'],
  cloning: ['clone'],
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
