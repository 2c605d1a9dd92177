/**
 * Charts as SVG text: bars, stacks, lines, and a grid of cells. Colours and type come from the page's style sheet by class, so
 * that one drawing serves light and dark; what counts is never told by colour alone. Drawings are narrow: two stand side by side
 * on a desk, and one is still readable on a phone. Room for labels follows from their lengths.
 */

export const WIDTH = 480
export const ROW_HEIGHT = 26
const CHART_TOP = 6
/** Mean widths of a letter at the sizes of the style sheet, in units of the drawing. */
const LABEL_LETTER = 7.7
const BOLD_LETTER = 8.6
export const VALUE_LETTER = 7.6
const LABEL_WIDTH_MAX = 230
const GAP = 8

/** Ours, theirs, an exported folder, or the bound that nobody can pass. */
export type Role = 'ours' | 'other' | 'folder' | 'bound'

export interface Bar {
  readonly label: string
  readonly value: number
  /** What stands behind the bar. */
  readonly text: string
  readonly role: Role
  /** What the bar is made of, from the left; one part of its own role unless given. */
  readonly parts?: readonly { readonly value: number; readonly role: Role }[]
  /** Least and most of the runs. */
  readonly range?: readonly [number, number]
  /** Where the number leads. */
  readonly href?: string
}

/** Bars under a word that they have in common. */
export interface BarGroup {
  readonly title: string
  readonly bars: readonly Bar[]
}

/** A vertical line through all bars. */
export interface Mark {
  readonly value: number
  readonly text: string
}

/** Room that the longest of these labels needs at the left; ours are bold. */
export function labelWidthOf(rows: readonly { readonly label: string; readonly role?: Role }[]): number {
  const widths = rows.map(({ label, role }) => label.length * (role === 'ours' ? BOLD_LETTER : LABEL_LETTER))
  return Math.min(LABEL_WIDTH_MAX, Math.max(0, ...widths) + GAP)
}

function lettersOf(texts: readonly string[]): number {
  return Math.max(0, ...texts.map((text) => text.length))
}

/** Horizontal bars from zero, in groups where groups are given; the longest possible is as long as the room. */
export function barChart(
  title: string,
  given: readonly Bar[] | readonly BarGroup[],
  marks: readonly Mark[] = [],
): string {
  const groups = given.map((one): BarGroup => ('bars' in one ? one : { title: '', bars: [one] }))
  const bars = groups.flatMap((group) => group.bars)
  const left = labelWidthOf(bars)
  const room = WIDTH - left - lettersOf(bars.map(({ text }) => text)) * VALUE_LETTER - GAP
  const max = Math.max(
    ...bars.flatMap(({ value, range }) => [value, range?.[1] ?? 0]),
    ...marks.map(({ value }) => value),
  )
  const xOf = (value: number): number => round(left + (max > 0 ? (value / max) * room : 0))
  const parts: string[] = []
  const values: string[] = []
  let y = CHART_TOP + (marks.length > 0 ? 18 : 0)
  const top = y
  for (const group of groups) {
    if (group.title !== '') {
      parts.push(`<text class="group" x="0" y="${y + ROW_HEIGHT / 2 + 4}">${escapeText(group.title)}</text>`)
      y += ROW_HEIGHT
    }
    for (const bar of group.bars) {
      parts.push(barRow(bar, y, left, xOf))
      values.push(valueText(bar, y, xOf))
      y += ROW_HEIGHT
    }
  }
  for (const { value, text } of marks) parts.push(markAt(xOf(value), top, y, text))
  // Last, so that no line crosses a number.
  return svg(title, y + CHART_TOP, [...parts, ...values].join('\n'))
}

function barRow(
  { label, value, role, parts, range }: Bar,
  y: number,
  left: number,
  xOf: (value: number) => number,
): string {
  const middle = y + ROW_HEIGHT / 2
  const [least, most] = (range ?? [value, value]).map(xOf)
  let from = 0
  const drawn = (parts ?? [{ value, role }]).map((part) => {
    const [x, end] = [xOf(from), xOf(from + part.value)]
    from += part.value
    return `<rect class="bar ${part.role}" x="${x}" y="${y + 4}" width="${round(Math.max(parts === undefined ? 1 : 0, end - x))}" height="${ROW_HEIGHT - 8}"/>`
  })
  return [
    `<text class="label ${role}" x="${round(left - GAP)}" y="${middle}" text-anchor="end">${escapeText(label)}</text>`,
    ...drawn,
    least === most ? '' : rangeLine(least ?? 0, most ?? 0, middle),
  ].join('')
}

function valueText({ value, text, range, href }: Bar, y: number, xOf: (value: number) => number): string {
  const x = round(Math.max(xOf(value), xOf(range?.[1] ?? 0)) + 6)
  const shown = `<text class="value halo" x="${x}" y="${y + ROW_HEIGHT / 2}">${escapeText(text)}</text>`
  return href === undefined ? shown : `<a href="${escapeText(href)}">${shown}</a>`
}

/** From the least to the most of the runs, with ends. */
export function rangeLine(least: number, most: number, y: number): string {
  return `<path class="range" d="M${least} ${y - 4}V${y + 4}M${least} ${y}H${most}M${most} ${y - 4}V${y + 4}"/>`
}

function markAt(x: number, top: number, bottom: number, text: string): string {
  return `<line class="mark" x1="${x}" x2="${x}" y1="${top - 4}" y2="${bottom}"/><text class="tick" x="${x}" y="${top - 12}" text-anchor="middle">${escapeText(text)}</text>`
}

export interface GridRow {
  readonly label: string
  readonly role: Role
  /** From 0 to 1, or null where there is nothing to say. */
  readonly cells: readonly (number | null)[]
}

/** A table of shares in percent, each cell as strong as its share. A line feed in a column's name breaks it. */
export function shareGrid(title: string, columns: readonly string[], rows: readonly GridRow[]): string {
  const left = labelWidthOf(rows)
  const cellWidth = (WIDTH - left) / columns.length
  const top = CHART_TOP + 32
  const head = columns.flatMap((column, index) =>
    column
      .split('\n')
      .map(
        (word, line, words) =>
          `<text class="head" x="${round(left + (index + 0.5) * cellWidth)}" y="${top - 10 - 14 * (words.length - 1 - line)}" text-anchor="middle">${escapeText(word)}</text>`,
      ),
  )
  const body = rows.map(({ label, role, cells }, row) => {
    const y = top + row * ROW_HEIGHT
    const middle = y + ROW_HEIGHT / 2
    const drawn = cells.map((share, index) => {
      if (share === null) return ''
      const x = round(left + index * cellWidth + 1)
      const strong = share >= 0.55 ? ' strong' : ''
      return `<rect class="cell ${role}" x="${x}" y="${y + 1}" width="${round(cellWidth - 2)}" height="${ROW_HEIGHT - 2}" style="fill-opacity:${round(0.04 + 0.96 * share)}"/><text class="cell-text ${role}${strong}" x="${round(x + cellWidth / 2 - 1)}" y="${middle}" text-anchor="middle">${percent(share).replace(' %', '')}</text>`
    })
    const text = `<text class="label ${role}" x="${left - GAP}" y="${middle}" text-anchor="end">${escapeText(label)}</text>`
    return text + drawn.join('')
  })
  return svg(title, top + rows.length * ROW_HEIGHT + CHART_TOP, [...head, ...body].join('\n'))
}

export interface Series {
  readonly label: string
  /** Which of the eight colours; by its place unless given. */
  readonly colour?: number
  readonly points: readonly { readonly x: number; readonly y: number; readonly range?: readonly [number, number] }[]
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

const PLOT = { left: 70, top: 26, bottom: 34, height: 230 } as const
const GRID_LINE_COUNT = 4
/** Least distance of two labels at the right edge. */
const LABEL_DISTANCE = 16

/** Lines over x values, each named at its right end; even series are dashed, so that they differ without colour. */
export function lineChart(title: string, series: readonly Series[], axes: Axes): string {
  const values = series[0]?.points.map(({ x }) => x) ?? []
  const right = WIDTH - lettersOf(series.map(({ label }) => label)) * LABEL_LETTER - 2 * GAP
  const step = (right - PLOT.left) / Math.max(1, values.length - 1)
  const scale = (right - PLOT.left) / Math.max(...values)
  const xOf = (x: number): number => round(PLOT.left + (axes.isLinear === true ? x * scale : values.indexOf(x) * step))
  const room = PLOT.height - PLOT.top - PLOT.bottom
  const yOf = (y: number): number => round(PLOT.top + room * (1 - (y - axes.yMin) / (axes.yMax - axes.yMin)))
  const bottom = PLOT.height - PLOT.bottom
  const parts: string[] = []
  for (let line = 0; line <= GRID_LINE_COUNT; line++) {
    const value = axes.yMin + ((axes.yMax - axes.yMin) * line) / GRID_LINE_COUNT
    const y = yOf(value)
    parts.push(`<line class="grid" x1="${PLOT.left}" x2="${right}" y1="${y}" y2="${y}"/>`)
    parts.push(
      `<text class="tick" x="${PLOT.left - 8}" y="${y}" text-anchor="end">${escapeText(axes.yText(value))}</text>`,
    )
  }
  for (const x of values) {
    parts.push(
      `<text class="tick" x="${xOf(x)}" y="${bottom + 18}" text-anchor="middle">${escapeText(axes.xText(x))}</text>`,
    )
  }
  if (axes.mark !== null) parts.push(markAt(xOf(axes.mark.x), PLOT.top, bottom, axes.mark.text))
  if (axes.target !== null) {
    const y = yOf(axes.target.y)
    parts.push(`<line class="mark" x1="${PLOT.left}" x2="${right}" y1="${y}" y2="${y}"/>`)
    parts.push(`<text class="tick halo" x="${PLOT.left + 6}" y="${y + 11}">${escapeText(axes.target.text)}</text>`)
  }
  const ends = spread(
    series.map(({ points }) => yOf(points[points.length - 1]?.y ?? 0)),
    bottom,
  )
  series.forEach(({ label, points, colour }, at) => {
    const index = colour ?? at
    const path = points.map(({ x, y }, point) => `${point === 0 ? 'M' : 'L'}${xOf(x)} ${yOf(y)}`).join('')
    parts.push(`<path class="line series-${index}${at % 2 === 1 ? ' dashed' : ''}" d="${path}"/>`)
    for (const { x, y, range } of points) {
      if (range !== undefined && range[0] < range[1])
        parts.push(`<path class="range" d="M${xOf(x)} ${yOf(range[0])}V${yOf(range[1])}"/>`)
      parts.push(`<circle class="dot series-${index}" cx="${xOf(x)}" cy="${yOf(y)}" r="3"/>`)
    }
    parts.push(
      `<text class="series-name series-${index}" x="${right + GAP}" y="${ends[at]}">${escapeText(label)}</text>`,
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
  return `<svg viewBox="0 0 ${WIDTH} ${round(height)}" role="img" aria-label="${escapeText(title)}">\n${body}\n</svg>`
}

export function round(value: number): number {
  return Math.round(value * 100) / 100
}
