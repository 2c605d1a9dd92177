/**
 * Charts of many at once, and of other means: rivals on one loopback, clones behind shaped lines, flash crowds.
 */

import type { RivalsReport } from '../rivals.ts'
import { mostOf } from './cost-charts.ts'
import type { Chart, Section } from './page.ts'
import { anchorOf, type FlashReport, type Loaded, type StaticReport, type SwarmReport } from './results.ts'
import { type Bar, barChart } from './svg.ts'

export function rivalsSection(results: readonly Loaded<RivalsReport>[]): Section {
  const charts = results.map((loaded): Chart => {
    const { repository, rows } = loaded.result
    const bars = rows.map(({ way, effort }): Bar => {
      const { median, min, max } = effort.seconds
      const label = way
        .replace(' on a bundle, then git clone', ', bundle')
        .replace('git clone --bundle-uri', '--bundle-uri')
      return {
        label,
        value: median,
        text: `${median.toFixed(2)} s`,
        role: way.startsWith('GitTorrent') ? 'ours' : 'other',
        range: [min, max],
        href: anchorOf(loaded),
      }
    })
    const title = `${repository}: seconds until a bare repository with all refs is there`
    const bytes = rows.flatMap(({ way, wireBytes }) =>
      wireBytes === null ? [] : [`${way} ${(wireBytes / 1e6).toFixed(1)} MB`],
    )
    const prepared = rows
      .filter(({ prepareSeconds }) => prepareSeconds >= 1)
      .map(({ way, prepareSeconds }) => `${way} ${prepareSeconds.toFixed(0)} s`)
    const note = `${bytes.length === 0 ? '' : `On the wire: ${bytes.join('; ')}. `}Prepared once by who serves: ${prepared.join('; ')}.`
    return { title, svg: barChart(title, bars, mostOf(bars)), note }
  })
  const absent = results[0]?.result.absent.map(({ way, reason }) => `${way}: ${reason}`) ?? []
  return {
    title: 'Other means',
    lead: `One server, one client, one loopback, no shaping; "bundle" is one bundle of all refs, cloned from when it is there. rsync also moves the index, so nothing is left to do; clients of BitTorrent wait for their own timers.${absent.length === 0 ? '' : ` Not measured: ${absent.join('. ')}.`}`,
    charts,
    sources: results,
  }
}

const HOW: Readonly<Record<SwarmReport['rows'][number]['strategy'], string>> = {
  plain: 'git',
  bundles: 'git, bundle list',
  swarm: 'GitTorrent',
  daemons: 'GitTorrent, daemons',
}

export function swarmSection(results: readonly Loaded<SwarmReport>[]): Section {
  const charts = results.flatMap((loaded): Chart[] => {
    const rows = loaded.result.rows.filter(({ cloneCount }) => cloneCount > 1)
    const barsOf = (pick: (row: (typeof rows)[number]) => Pick<Bar, 'value' | 'text' | 'range'>): Bar[] =>
      rows.map((row) => ({
        ...pick(row),
        label: `${row.scenario}: ${HOW[row.strategy]}`,
        role: row.strategy === 'swarm' || row.strategy === 'daemons' ? 'ours' : 'other',
        href: anchorOf(loaded),
      }))
    const egress = barsOf(({ originOverF, originLength }) => {
      return { value: originOverF, text: `${originOverF.toFixed(1)} F, ${(originLength / 1e6).toFixed(0)} MB` }
    })
    const makespan = barsOf(({ makespanSeconds, makespanRange, makespanOverBound }) => {
      return {
        value: makespanSeconds,
        text: `${makespanSeconds.toFixed(0)} s, ${makespanOverBound.toFixed(1)} ×`,
        range: makespanRange,
      }
    })
    const failed = rows
      .filter(({ failures }) => failures.length > 0)
      .map(({ scenario, failures }) => `${scenario}: ${failures.length} failed`)
    const { repository, uplinkBits } = loaded.result
    const lines = `The origin has ${uplinkBits / 1e6} Mbit/s up, every machine eight times that. F is what one lone clone receives.`
    const sent = `${repository}: what the origin sends`
    const took = `${repository}: seconds until all are done, and times the fluid bound`
    return [
      { title: sent, svg: barChart(sent, egress, mostOf(egress) * 1.25), note: `${lines} ${failed.join('; ')}` },
      {
        title: took,
        svg: barChart(took, makespan, mostOf(makespan) * 1.1),
        note: 'The bound is max(F/u, F/d, N·F/(u + Σu)), which no way of sharing can beat.',
      },
    ]
  })
  return {
    title: 'Many clones at once',
    lead: 'Real clones in network namespaces behind shaped lines.',
    charts,
    sources: results,
  }
}

export function staticSection(results: readonly Loaded<StaticReport>[]): Section {
  const charts = results.map((loaded): Chart => {
    const { repository, cloneCount, ways } = loaded.result
    const bars = ways.map(({ name, originBytes }): Bar => {
      const role = name.startsWith('helper') ? 'ours' : 'other'
      return {
        label: name,
        value: originBytes,
        text: `${(originBytes / 1e6).toFixed(2)} MB`,
        role,
        href: anchorOf(loaded),
      }
    })
    const others = ways.map(({ name, webBytes, peerBytes, durationMs }) => {
      const moved = `${(webBytes / 1e6).toFixed(1)} MB from the folder, ${(peerBytes / 1e6).toFixed(1)} from peers`
      return `${name}: ${moved}, ${(durationMs / 1000).toFixed(0)} s`
    })
    const title = `${repository}: what the origin sends for ${cloneCount} clones`
    return { title, svg: barChart(title, bars, mostOf(bars) * 1.1), note: `${others.join('; ')}.` }
  })
  return {
    title: 'Exported folders',
    lead: 'Clones one after the other and side by side, with a folder behind a plain web server.',
    charts,
    sources: results,
  }
}

export function flashSection(results: readonly Loaded<FlashReport>[]): Section {
  const left: string[] = []
  const charts = results.map((loaded): Chart => {
    const bars = Object.entries(loaded.result.results).flatMap(([name, figures]): Bar[] => {
      if ('leftOut' in figures) {
        left.push(`${name}: ${figures.leftOut}`)
        return []
      }
      const { worstPeer, seedUploadPerF, peerCount } = figures
      const { median, min, max } = worstPeer
      const text = `${median.toFixed(2)} ×, seed ${seedUploadPerF.median.toFixed(2)} F`
      return [
        {
          label: `${name}, ${peerCount} peers`,
          value: median,
          text,
          role: 'ours',
          range: [min, max],
          href: anchorOf(loaded),
        },
      ]
    })
    const title = 'Flash crowds: the slowest peer, times the fluid bound'
    const bound: Bar = { label: 'fluid bound', value: 1, text: '1', role: 'bound' }
    const shown = [...bars, bound]
    return {
      title,
      svg: barChart(title, shown, mostOf(shown) * 1.25),
      note: `The aims are 1.3 and 1.2 F from the seed. ${left.join('; ')}`,
    }
  })
  return {
    title: 'Flash crowds',
    lead: 'Peers that start together behind one seed whose uplink is an eighth of theirs.',
    charts,
    sources: results,
  }
}
