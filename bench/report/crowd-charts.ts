/**
 * Charts of many at once, and of other means: rivals on one loopback, clones behind shaped lines, folders, flash crowds.
 */

import type { RivalsReport } from '../rivals.ts'
import type { StaticReport } from '../static.ts'
import type { SwarmReport, SwarmRow } from '../swarm-rows.ts'
import type { Chart, Section } from './page.ts'
import { absentFrom, anchorOf, type FlashReport, type Loaded, shortName } from './results.ts'
import { type Bar, type BarGroup, barChart } from './svg.ts'

export function rivalsSection(results: readonly Loaded<RivalsReport>[]): Section {
  const charts = results.flatMap((loaded, index): Chart[] => {
    const { repository, rows } = loaded.result
    const href = anchorOf(loaded)
    const named = (way: string): Pick<Bar, 'label' | 'role' | 'href'> => {
      return { label: shortWay(way), role: way.startsWith('GitTorrent') ? 'ours' : 'other', href }
    }
    const seconds = rows.map(({ way, effort }): Bar => {
      const { median, min, max } = effort.seconds
      return { ...named(way), value: median, text: `${median.toFixed(median < 10 ? 2 : 1)} s`, range: [min, max] }
    })
    const wire = rows.flatMap(({ way, wireBytes }): Bar[] =>
      wireBytes === null ? [] : [{ ...named(way), value: wireBytes, text: `${(wireBytes / 1e6).toFixed(1)} MB` }],
    )
    const prepared = rows
      .filter(({ prepareSeconds }) => prepareSeconds >= 1)
      .map(({ way, prepareSeconds }) => `${shortWay(way)} ${prepareSeconds.toFixed(0)} s`)
    const titles = [
      `${shortName(repository)}: seconds until all refs are there`,
      `${shortName(repository)}: bytes on the wire, headers and both ways`,
    ] as const
    const note = prepared.length === 0 ? '' : `Prepared once by who serves: ${prepared.join(', ')}.`
    return [
      { title: titles[0], svg: barChart(titles[0], seconds), note, isMore: index > 0 },
      { title: titles[1], svg: barChart(titles[1], wire), note: '', isMore: index > 0 },
    ]
  })
  const absent = absentFrom(results).map(({ way, reason }) => `${way}: ${reason}`)
  return {
    title: 'Other means',
    lead: `One server, one client, one loopback, no want of bandwidth: this measures work, not what a crowd saves. “Bundle” is one bundle of all refs, cloned from when it is there. rsync moves the index too, so nothing is left to do, and nothing is checked.${absent.length === 0 ? '' : ` Not measured: ${absent.join('. ')}.`}`,
    charts,
    sources: results,
  }
}

function shortWay(way: string): string {
  return way
    .replace(' on a bundle, then git clone', ', bundle')
    .replace('git clone --bundle-uri, one bundle', '--bundle-uri')
    .replace(' of the bare repository', '')
}

const HOW: Readonly<Record<SwarmRow['strategy'], string>> = {
  plain: 'git',
  bundles: 'git, bundle list',
  swarm: 'GitTorrent',
  daemons: 'GitTorrent, daemons',
}

export function swarmSection(results: readonly Loaded<SwarmReport>[]): Section {
  const charts = results.flatMap((loaded): Chart[] => {
    const { repository, rows } = loaded.result
    const crowds = rows.filter(({ cloneCount }) => cloneCount > 1)
    const scenarios = [...new Set(crowds.map(({ scenario }) => scenario))]
    const groupsOf = (pick: (row: SwarmRow) => Pick<Bar, 'value' | 'text' | 'range'>): BarGroup[] =>
      scenarios.map((scenario) => ({
        title: titleOf(scenario, crowds),
        bars: crowds
          .filter((row) => row.scenario === scenario)
          .map((row): Bar => {
            const role = row.strategy === 'swarm' || row.strategy === 'daemons' ? 'ours' : 'other'
            return { ...pick(row), label: HOW[row.strategy], role, href: anchorOf(loaded) }
          }),
      }))
    const egress = groupsOf(({ originOverF, originLength }) => {
      return { value: originLength / 1e6, text: `${(originLength / 1e6).toFixed(1)} MB, ${originOverF.toFixed(1)} F` }
    })
    const makespan = groupsOf(({ makespanSeconds, makespanRange, makespanOverBound }) => {
      const text = `${makespanSeconds.toFixed(0)} s, ${makespanOverBound.toFixed(1)} × bound`
      return { value: makespanSeconds, text, range: makespanRange }
    })
    const failed = crowds
      .filter(({ failures }) => failures.length > 0)
      .map(
        ({ scenario, strategy, failures }) => `${failures.length} clones of “${scenario}” by ${HOW[strategy]} failed.`,
      )
    const titles = [
      `${shortName(repository)}: what the origin sends`,
      `${shortName(repository)}: seconds until all are done`,
    ] as const
    return [
      {
        title: titles[0],
        svg: barChart(titles[0], egress),
        note: 'F is what one lone clone receives, by whichever way receives least.',
      },
      {
        title: titles[1],
        svg: barChart(titles[1], makespan),
        note: `The bound is max(F/u, F/d, N·F/(u + Σu)), which no way of sharing can beat. ${failed.join(' ')}`,
      },
    ]
  })
  const uplinks = [...new Set(results.flatMap(({ result }) => result.rows.map(({ uplinkBits }) => uplinkBits / 1e6)))]
  return {
    title: 'Many clones at once',
    lead: `Real clones in network namespaces behind shaped lines: the origin has ${uplinks.join(' or ')} Mbit/s up, every machine eight times that. All machines share the processors of one.`,
    charts,
    sources: results,
  }
}

/** A scenario in words, with the uplink where not all have the same. */
function titleOf(scenario: string, rows: readonly SwarmRow[]): string {
  const row = rows.find((one) => one.scenario === scenario)
  const isFarm = scenario.startsWith('farm')
  const name = isFarm
    ? `${row?.cloneCount} jobs of a farm${scenario.endsWith('depth 1') ? ', depth 1' : ''}`
    : scenario.replace(/^(\d+)(,| )/, '$1 clones$2')
  return `${name}, uplink ${(row?.uplinkBits ?? 0) / 1e6} Mbit/s`
}

export function staticSection(results: readonly Loaded<StaticReport>[]): Section {
  const charts = results.map((loaded): Chart => {
    const { repository, cloneCount, ways } = loaded.result
    const bars = ways.map(({ name, originBytes, webBytes, peerBytes, durationMs }): Bar => {
      const total = originBytes + webBytes + peerBytes
      return {
        label: name,
        value: total,
        parts: [
          { value: originBytes, role: 'other' },
          { value: webBytes, role: 'folder' },
          { value: peerBytes, role: 'ours' },
        ],
        text: `${(originBytes / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(0)} MB, ${(durationMs / 1000).toFixed(0)} s`,
        role: name.startsWith('helper') ? 'ours' : 'other',
        href: anchorOf(loaded),
      }
    })
    const title = `${shortName(repository)}: where the bytes of ${cloneCount} clones come from`
    return {
      title,
      svg: barChart(title, bars),
      keys: [
        { role: 'other', text: 'origin' },
        { role: 'folder', text: 'folder' },
        { role: 'ours', text: 'peers.' },
      ],
      note: 'Behind the bars: what the origin sent, of all bytes, and the seconds until all were done.',
    }
  })
  return {
    title: 'Exported folders',
    lead: 'Clones over HTTP on loopback, with a folder that gittorrent export wrote behind a plain web server.',
    charts,
    sources: results,
  }
}

const FLASH_WORDS: Readonly<Record<string, string>> = { leaving: ', two leave', slow: ', one slow', loss: ', 1 % lost' }

export function flashSection(results: readonly Loaded<FlashReport>[]): Section {
  const left: string[] = []
  const charts = results.flatMap((loaded): Chart[] => {
    const entries = Object.entries(loaded.result.results).flatMap(([name, figures]) => {
      if ('leftOut' in figures) left.push(`${name}: ${figures.leftOut}.`)
      return 'leftOut' in figures ? [] : [{ label: `${figures.peerCount}${FLASH_WORDS[name] ?? ' peers'}`, figures }]
    })
    const barsOf = (pick: 'worstPeer' | 'seedUploadPerF', unit: string): Bar[] =>
      entries.map(({ label, figures }) => {
        const { median, min, max } = figures[pick]
        return {
          label,
          value: median,
          text: `${median.toFixed(2)}${unit}`,
          role: 'ours',
          range: [min, max],
          href: anchorOf(loaded),
        }
      })
    const slowest = 'Time of the slowest peer, over the fluid bound'
    const sent = 'What the seed uploads, in copies of the content'
    const line = { value: 1, text: 'bound' }
    return [
      {
        title: slowest,
        svg: barChart(slowest, barsOf('worstPeer', ''), [line, { value: 1.3, text: 'aim' }]),
        note: [
          'Two of 16 are ended half-way; the slow line is ten times slower; with 1 % of all frames lost a round trip takes 30 ms.',
          ...left,
        ].join(' '),
      },
      {
        title: sent,
        svg: barChart(sent, barsOf('seedUploadPerF', ' F'), [line, { value: 1.2, text: 'aim' }]),
        note: '',
      },
    ]
  })
  return {
    title: 'Flash crowds',
    lead: 'Peers that start together behind one seed whose uplink is an eighth of theirs; our exchange alone, without git.',
    charts,
    sources: results,
  }
}
