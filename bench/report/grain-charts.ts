/**
 * Charts of the choice of N0 and G: what periodic fetchers take from segments, and what small segments cost.
 */

import { GT1 } from '../../engine/index.ts'
import type { GrainReport, GrainRow } from '../sharing/grain-report.ts'
import type { Chart, Section } from './page.ts'
import { type Loaded, shortName } from './results.ts'
import { type Axes, lineChart, percent, type Series } from './svg.ts'

/** The cut N0 · 2^G along which N0 is varied, and the N0 that was chosen. */
const N0 = GT1.checkpointModulus
const CUT = N0 * 2 ** GT1.coarseLevel

export function grainSection(results: readonly Loaded<GrainReport>[]): Section {
  const reports = results.map(({ result }) => result)
  const charts = [shareChart(reports, 'daily', 0.65), shareChart(reports, 'monthly', 0.95), costChart(reports)]
  return {
    title: 'How finely to cut: N0',
    lead: `A commit in N0 on the main line ends a segment. Replayed on the real commit times of ${reports.map(({ repository }) => repository).join(', ')}.`,
    charts,
    sources: results,
  }
}

function shareChart(reports: readonly GrainReport[], period: 'daily' | 'monthly', target: number): Chart {
  const title = `Bytes that a ${period} fetch finds in segments`
  const series = seriesOf(reports, (row) => Number(row[`${period}Bytes`]))
  const axes: Axes = {
    yMin: 0,
    yMax: 1,
    yText: percent,
    xText: String,
    mark: { x: N0, text: `N0 = ${N0}, chosen` },
    target: { y: target, text: `target on git/git: ${percent(target)}` },
  }
  return { title, svg: lineChart(title, series, axes), note: 'The rest is negotiated live with the origin.' }
}

function costChart(reports: readonly GrainReport[]): Chart {
  const title = 'Bytes of a full clone, against N0 = 16'
  const series = seriesOf(reports, (row, rows) => {
    const base = rows.find(({ N0: n0, cut }) => n0 === 16 && cut === CUT)
    return Number(row.averageChainBytes) / Number(base?.averageChainBytes)
  })
  const values = series.flatMap(({ points }) => points.map(({ y }) => y))
  const axes: Axes = {
    yMin: 1 - 0.01,
    yMax: Math.max(1.02, Math.ceil(Math.max(...values) * 100) / 100),
    yText: (y) => `${((y - 1) * 100).toFixed(1)} %`,
    xText: String,
    mark: { x: N0, text: `N0 = ${N0}, chosen` },
    target: null,
  }
  const note = `Only the newest part of the history is cut finely; the rest is in coarse segments of ${CUT} commits whatever N0 is.`
  return { title, svg: lineChart(title, series, axes), note }
}

function seriesOf(
  reports: readonly GrainReport[],
  figureOf: (row: GrainRow, rows: readonly GrainRow[]) => number,
): Series[] {
  return reports.map(({ repository, rows }) => ({
    label: shortName(repository),
    points: rows
      .filter(({ cut }) => cut === CUT)
      .sort((a, b) => a.N0 - b.N0)
      .map((row) => ({ x: row.N0, y: figureOf(row, rows) })),
  }))
}
