/**
 * Ratios as bars that grow from 1 to the left where we need less and to the right where we need more, on a scale of
 * doublings, so that half and twice are equally long.
 */

import { escapeText, LABEL_WIDTH, ROW_HEIGHT, svg, WIDTH } from './svg.ts'

const RIGHT = 120
const TOP = 26

export interface RatioBar {
  readonly label: string
  readonly value: number
  /** Least and most of the runs, or null. */
  readonly range: readonly [number, number] | null
  readonly href: string
  /** What stands behind the bar, if not the value alone; then more is no loss, and the bar has our colour either way. */
  readonly text?: string
}

/** `unit` says what stands at 1. */
export function ratioChart(title: string, bars: readonly RatioBar[], unit: string): string {
  const logs = bars.flatMap(({ value, range }) => [value, ...(range ?? [])].map(Math.log2))
  const low = Math.min(-1, Math.floor(Math.min(...logs)))
  const high = Math.max(1, Math.ceil(Math.max(...logs)))
  const xOf = (value: number): number =>
    round(LABEL_WIDTH + ((Math.log2(value) - low) / (high - low)) * (WIDTH - LABEL_WIDTH - RIGHT))
  const bottom = TOP + bars.length * ROW_HEIGHT
  const parts: string[] = []
  const step = Math.ceil((high - low) / 8)
  for (let log = Math.ceil(low / step) * step; log <= high; log += step) {
    const x = xOf(2 ** log)
    const text = log === 0 ? unit : log < 0 ? `÷ ${2 ** -log}` : `× ${2 ** log}`
    parts.push(`<line class="${log === 0 ? 'mark' : 'grid'}" x1="${x}" x2="${x}" y1="${TOP - 6}" y2="${bottom}"/>`)
    parts.push(`<text class="tick" x="${x}" y="${TOP - 16}" text-anchor="middle">${escapeText(text)}</text>`)
  }
  bars.forEach(({ label, value, range, href, text }, index) => {
    const y = TOP + index * ROW_HEIGHT
    const middle = y + ROW_HEIGHT / 2
    const [from, to] = [Math.min(xOf(1), xOf(value)), Math.max(xOf(1), xOf(value))]
    const right = Math.max(to, range === null ? 0 : xOf(range[1]))
    parts.push(
      `<text class="label" x="${LABEL_WIDTH - 10}" y="${middle}" text-anchor="end">${escapeText(label)}</text>`,
      `<rect class="bar ${text !== undefined || value <= 1 ? 'better' : 'worse'}" x="${from}" y="${y + 5}" width="${round(Math.max(1, to - from))}" height="${ROW_HEIGHT - 10}" rx="2"/>`,
    )
    if (range !== null && range[0] < range[1])
      parts.push(`<line class="range" x1="${xOf(range[0])}" x2="${xOf(range[1])}" y1="${middle}" y2="${middle}"/>`)
    parts.push(
      `<a href="${escapeText(href)}"><text class="value halo" x="${right + 7}" y="${middle}">${escapeText(text ?? value.toFixed(2))}</text></a>`,
    )
  })
  return svg(title, bottom + 8, parts.join('\n'))
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
