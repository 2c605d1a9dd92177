/**
 * Charts as SVG text: bars, lines, and a grid of cells. Colours and type come from the page's style sheet by class, so
 * that one drawing serves light and dark. No layout engine: labels get fixed room, and whoever calls keeps them short.
 */

export const WIDTH = 760
export const ROW_HEIGHT = 28
export const LABEL_WIDTH = 220
const VALUE_WIDTH = 78
const CHART_TOP = 8

export interface Bar {
  readonly label: string
  readonly value: number
  /** What stands behind the bar. */
  readonly text: string
  /** Ours, theirs, or the bound that nobody can pass. */
  readonly role: 'ours' | 'other' | 'bound'
  /** Least and most of the runs. */
  readonly range?: readonly [number, number]
  /** Where the number leads. */
  readonly href?: string
}

/** Horizontal bars from zero; the longest possible is `max`. */
export function barChart(title: string, bars: readonly Bar[], max: number): string {
  const room = WIDTH - LABEL_WIDTH - VALUE_WIDTH
  const rows = bars.map(({ label, value, text, role, range, href }, index) => {
    const y = CHART_TOP + index * ROW_HEIGHT
    const lengthOf = (of: number): number => (max > 0 ? round((Math.min(of, max) / max) * room) : 0)
    const length = lengthOf(value)
    const middle = y + ROW_HEIGHT / 2
    const [least, most] = (range ?? [value, value]).map((of) => LABEL_WIDTH + lengthOf(of))
    const shown = `<text class="value" x="${round(Math.max(LABEL_WIDTH + length, most ?? 0) + 7)}" y="${middle}">${escapeText(text)}</text>`
    return [
      `<text class="label ${role}" x="${LABEL_WIDTH - 10}" y="${middle}" text-anchor="end">${escapeText(label)}</text>`,
      `<rect class="bar ${role}" x="${LABEL_WIDTH}" y="${y + 4}" width="${Math.max(1, length)}" height="${ROW_HEIGHT - 8}" rx="2"/>`,
      least === most ? '' : `<line class="range" x1="${least}" x2="${most}" y1="${middle}" y2="${middle}"/>`,
      href === undefined ? shown : `<a href="${escapeText(href)}">${shown}</a>`,
    ].join('')
  })
  return svg(title, bars.length * ROW_HEIGHT + 2 * CHART_TOP, rows.join('\n'))
}

export interface GridRow {
  readonly label: string
  readonly role: Bar['role']
  /** From 0 to 1, or null where there is nothing to say. */
  readonly cells: readonly (number | null)[]
}

/** A table of shares, each cell as strong as its share. */
export function shareGrid(title: string, columns: readonly string[], rows: readonly GridRow[]): string {
  const cellWidth = (WIDTH - LABEL_WIDTH) / columns.length
  const head = columns.map(
    (column, index) =>
      `<text class="label other" x="${round(LABEL_WIDTH + (index + 0.5) * cellWidth)}" y="${CHART_TOP + 12}" text-anchor="middle">${escapeText(column)}</text>`,
  )
  const body = rows.map(({ label, role, cells }, row) => {
    const y = CHART_TOP + (row + 1) * ROW_HEIGHT
    const middle = y + ROW_HEIGHT / 2
    const drawn = cells.map((share, index) => {
      if (share === null) return ''
      const x = round(LABEL_WIDTH + index * cellWidth + 1)
      const strong = share >= 0.55 ? ' strong' : ''
      return `<rect class="cell ${role}" x="${x}" y="${y + 1}" width="${round(cellWidth - 2)}" height="${ROW_HEIGHT - 2}" style="fill-opacity:${round(0.04 + 0.96 * share)}"/><text class="cell-text ${role}${strong}" x="${round(x + cellWidth / 2 - 1)}" y="${middle}" text-anchor="middle">${percent(share)}</text>`
    })
    const text = `<text class="label ${role}" x="${LABEL_WIDTH - 10}" y="${middle}" text-anchor="end">${escapeText(label)}</text>`
    return text + drawn.join('')
  })
  return svg(title, (rows.length + 1) * ROW_HEIGHT + 2 * CHART_TOP, [...head, ...body].join('\n'))
}

export interface Series {
  readonly label: string
  /** Which of the eight colours; by its place unless given. */
  readonly colour?: number
  readonly points: readonly { readonly x: number; readonly y: number }[]
}

export interface Axes {
  /** Where the vertical axis begins and ends. */
  readonly yMin: number
  readonly yMax: number
  readonly yText: (value: number) => string
  readonly xText: (value: number) => string
  /** A vertical line with a word: the value that was chosen. */
  readonly mark: { readonly x: number; readonly text: string } | null
  /** Distances on the horizontal axis are those of the values, from 0 on; else they are equal. */
  readonly isLinear?: boolean
  /** A horizontal line with a word, or null. */
  readonly target: { readonly y: number; readonly text: string } | null
}

const PLOT = { left: 70, right: 150, top: 26, bottom: 34, height: 250 } as const
const GRID_LINE_COUNT = 4
/** Least distance of two labels at the right edge. */
const LABEL_DISTANCE = 16

/** Lines over x values, each named at its right end. */
export function lineChart(title: string, series: readonly Series[], axes: Axes): string {
  const values = series[0]?.points.map(({ x }) => x) ?? []
  const step = (WIDTH - PLOT.left - PLOT.right) / Math.max(1, values.length - 1)
  const scale = (WIDTH - PLOT.left - PLOT.right) / Math.max(...values)
  const xOf = (x: number): number => round(PLOT.left + (axes.isLinear === true ? x * scale : values.indexOf(x) * step))
  const room = PLOT.height - PLOT.top - PLOT.bottom
  const yOf = (y: number): number => round(PLOT.top + room * (1 - (y - axes.yMin) / (axes.yMax - axes.yMin)))
  const bottom = PLOT.height - PLOT.bottom
  const parts: string[] = []
  for (let line = 0; line <= GRID_LINE_COUNT; line++) {
    const value = axes.yMin + ((axes.yMax - axes.yMin) * line) / GRID_LINE_COUNT
    const y = yOf(value)
    parts.push(`<line class="grid" x1="${PLOT.left}" x2="${WIDTH - PLOT.right}" y1="${y}" y2="${y}"/>`)
    parts.push(
      `<text class="tick" x="${PLOT.left - 8}" y="${y}" text-anchor="end">${escapeText(axes.yText(value))}</text>`,
    )
  }
  for (const x of values) {
    parts.push(
      `<text class="tick" x="${xOf(x)}" y="${bottom + 18}" text-anchor="middle">${escapeText(axes.xText(x))}</text>`,
    )
  }
  if (axes.mark !== null) {
    const x = xOf(axes.mark.x)
    parts.push(`<line class="mark" x1="${x}" x2="${x}" y1="${PLOT.top - 6}" y2="${bottom}"/>`)
    parts.push(
      `<text class="tick" x="${x}" y="${PLOT.top - 14}" text-anchor="middle">${escapeText(axes.mark.text)}</text>`,
    )
  }
  if (axes.target !== null) {
    const y = yOf(axes.target.y)
    parts.push(`<line class="mark" x1="${PLOT.left}" x2="${WIDTH - PLOT.right}" y1="${y}" y2="${y}"/>`)
    parts.push(`<text class="tick halo" x="${PLOT.left + 6}" y="${y + 11}">${escapeText(axes.target.text)}</text>`)
  }
  const ends = spread(
    series.map(({ points }) => yOf(points[points.length - 1]?.y ?? 0)),
    bottom,
  )
  series.forEach(({ label, points, colour }, at) => {
    const index = colour ?? at
    const path = points.map(({ x, y }, point) => `${point === 0 ? 'M' : 'L'}${xOf(x)} ${yOf(y)}`).join('')
    parts.push(`<path class="line series-${index}" d="${path}"/>`)
    for (const { x, y } of points)
      parts.push(`<circle class="dot series-${index}" cx="${xOf(x)}" cy="${yOf(y)}" r="3"/>`)
    parts.push(
      `<text class="series-name series-${index}" x="${WIDTH - PLOT.right + 14}" y="${ends[at]}">${escapeText(label)}</text>`,
    )
  })
  return svg(title, PLOT.height, parts.join('\n'))
}

/** Moves labels apart so that none covers another and none lies below `max`, as far as there is room; keeps their order. */
export function spread(positions: readonly number[], max: number): number[] {
  const order = positions.map((y, index) => ({ y, index })).sort((a, b) => a.y - b.y || a.index - b.index)
  const result = [...positions]
  let least = Number.NEGATIVE_INFINITY
  for (const { y, index } of order) {
    least = Math.max(y, least + LABEL_DISTANCE)
    result[index] = least
  }
  let most = max
  for (const { index } of order.reverse()) {
    result[index] = Math.min(result[index] ?? 0, most)
    most = (result[index] ?? 0) - LABEL_DISTANCE
  }
  return result
}

/** With one decimal where a whole number would round to nothing or to everything. */
export function percent(share: number): string {
  const value = share * 100
  const isNearEnd = (value > 0 && value < 1) || (value > 99 && value < 99.95)
  return `${value.toFixed(isNearEnd ? 1 : 0)} %`
}

/** Text for HTML and SVG. */
export function escapeText(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;')
}

/** A drawing of the common width. */
export function svg(title: string, height: number, body: string): string {
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeText(title)}">\n${body}\n</svg>`
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
