/**
 * Ratios as bars that grow from 1 to the left where we need less and to the right where we need more, on a scale of
 * doublings, so that half and twice are equally long.
 */

import { escapeText, labelWidthOf, ROW_HEIGHT, rangeLine, round, svg, VALUE_LETTER, WIDTH } from './svg.ts'

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
  const left = labelWidthOf(bars)
  const textOf = ({ text, value }: RatioBar): string => text ?? value.toFixed(2)
  const right = Math.max(24, ...bars.map((bar) => textOf(bar).length * VALUE_LETTER + 8))
  const xOf = (value: number): number =>
    round(left + ((Math.log2(value) - low) / (high - low)) * (WIDTH - left - right))
  const bottom = TOP + bars.length * ROW_HEIGHT
  const parts: string[] = []
  const step = Math.ceil((high - low) / 5)
  for (let log = Math.ceil(low / step) * step; log <= high; log += step) {
    const x = xOf(2 ** log)
    const text = log === 0 ? unit : log < 0 ? `÷ ${2 ** -log}` : `× ${2 ** log}`
    parts.push(`<line class="${log === 0 ? 'mark' : 'grid'}" x1="${x}" x2="${x}" y1="${TOP - 6}" y2="${bottom}"/>`)
    parts.push(`<text class="tick" x="${x}" y="${TOP - 16}" text-anchor="middle">${escapeText(text)}</text>`)
  }
  bars.forEach((bar, index) => {
    const { label, value, range, href, text } = bar
    const y = TOP + index * ROW_HEIGHT
    const middle = y + ROW_HEIGHT / 2
    const [from, to] = [Math.min(xOf(1), xOf(value)), Math.max(xOf(1), xOf(value))]
    const end = Math.max(to, range === null ? 0 : xOf(range[1]))
    parts.push(
      `<text class="label" x="${left - 8}" y="${middle}" text-anchor="end">${escapeText(label)}</text>`,
      `<rect class="bar ${text !== undefined || value <= 1 ? 'better' : 'worse'}" x="${from}" y="${y + 5}" width="${round(Math.max(1, to - from))}" height="${ROW_HEIGHT - 10}"/>`,
    )
    if (range !== null && range[0] < range[1]) parts.push(rangeLine(xOf(range[0]), xOf(range[1]), middle))
    parts.push(
      `<a href="${escapeText(href)}"><text class="value halo" x="${end + 6}" y="${middle}">${escapeText(textOf(bar))}</text></a>`,
    )
  })
  return svg(title, bottom + 8, parts.join('\n'))
}
