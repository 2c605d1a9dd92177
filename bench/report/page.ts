/**
 * The page around the charts: one HTML file without scripts or outside resources, light and dark by the reader's choice, charts
 * side by side where there is room. It begins with the answers and ends with a table of all runs; every number of the charts leads to its row there: command, machine, and the JSON file.
 */

import { type Answer, answersOf, type Piece } from './answers.ts'
import { allOf, anchorOf, circumstances, type Loaded, type Results, shortName } from './results.ts'
import { scoreboard } from './scoreboard.ts'
import { escapeText, type Role } from './svg.ts'

export interface Chart {
  readonly title: string
  readonly svg: string
  readonly note: string
  /** What the colours of its bars mean, where that is not what they always mean. */
  readonly keys?: readonly { readonly role: Role; readonly text: string }[]
  /** Shown on demand, under those that are not. */
  readonly isMore?: boolean
}

/** Figures that are too many to draw, shown on demand. */
export interface Table {
  readonly title: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** Charts about one question, and the runs behind them. */
export interface Section {
  readonly title: string
  readonly lead: string
  readonly charts: readonly Chart[]
  readonly tables?: readonly Table[]
  readonly sources: readonly Loaded<{ readonly repository: string; readonly bench: string }>[]
}

const STYLE = `
:root { color-scheme: light dark; --paper: #fff; --card: #f5f7f9; --ink: #1b1f24; --soft: #56606b; --rule: #d9dee3; --ours: #0b6bcb; --other: #8a95a1; --folder: #7db8ee; --worse: #c2410c;
  --on-ours: #fff; --on-other: #1b1f24; --good-cell: #d8e8fa; --bad-cell: #fbdfd0;
  --s0: #0b6bcb; --s1: #c2410c; --s2: #2e8555; --s3: #8b3fc7; --s4: #a16207; --s5: #be185d; --s6: #0e7490; --s7: #56606b; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14181d; --card: #1d232a; --ink: #e8ecf0; --soft: #a3aeb9; --rule: #313942; --ours: #4aa3ff; --other: #7b8794; --folder: #2b66a3; --worse: #fb8b4c;
    --on-ours: #08121d; --on-other: #0d1115; --good-cell: #12355a; --bad-cell: #5c2c12;
    --s0: #4aa3ff; --s1: #fb8b4c; --s2: #4fb47f; --s3: #c08bf0; --s4: #e0b040; --s5: #f472b6; --s6: #4cc3d9; --s7: #a3aeb9; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 20px 16px 64px; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 26px; margin: 8px 0 4px; } h2 { font-size: 21px; margin: 44px 0 2px; border-top: 1px solid var(--rule); padding-top: 22px; }
h3 { font-size: 15px; line-height: 1.35; margin: 18px 0 6px; } p { margin: 4px 0; color: var(--soft); max-width: 76ch; } p.note, p.source { font-size: 13px; } code { font-size: 12px; overflow-wrap: anywhere; }
a { color: inherit; text-decoration: underline; text-decoration-color: var(--rule); text-underline-offset: 3px; } svg a { text-decoration: none; } svg a text { cursor: pointer; } svg a:hover text { text-decoration: underline; }
nav { font-size: 14px; color: var(--soft); margin: 16px 0 0; } nav a { margin-right: 14px; white-space: nowrap; display: inline-block; padding: 3px 0; }
div.answers { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 12px; margin: 14px 0 18px; } div.answer:last-child { grid-column: 1 / -1; } div.answer:last-child ul { columns: 380px; column-gap: 28px; } div.answer li { break-inside: avoid; }
div.answer { background: var(--card); border-radius: 8px; padding: 12px 16px 14px; } div.answer h2 { font-size: 15px; margin: 0; border: 0; padding: 0; color: var(--soft); font-weight: 500; }
div.answer b { display: block; font-size: 28px; line-height: 1.2; font-variant-numeric: tabular-nums; } div.answer p { margin: 0; font-size: 14px; line-height: 1.4; } div.answer ul { margin: 8px 0 0; padding: 0; list-style: none; font-size: 13.5px; line-height: 1.45; } div.answer li { margin-top: 3px; }
div.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 6px 36px; align-items: start; } div.charts > div { min-width: 0; }
div.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 14px; width: 100%; } th, td { padding: 6px 8px; text-align: right; } th { font-weight: 500; color: var(--soft); vertical-align: bottom; line-height: 1.25; }
th:first-child, td:first-child { text-align: left; } details { margin: 18px 0; } summary { cursor: pointer; font-size: 14px; padding: 4px 0; } table.score th + th, table.score td + td { text-align: center; } table.score td { border: 2px solid var(--paper); font-variant-numeric: tabular-nums; } td.good { background: var(--good-cell); } td.bad { background: var(--bad-cell); }
table.runs td { text-align: left; vertical-align: top; border-top: 1px solid var(--rule); font-size: 13px; } tr:target { background: var(--good-cell); } table.all { font-size: 12px; white-space: nowrap; } table.all td { border-top: 1px solid var(--rule); padding: 3px 8px; font-variant-numeric: tabular-nums; }
i.key { display: inline-block; width: 12px; height: 12px; border-radius: 2px; vertical-align: -1px; margin: 0 4px 0 6px; background: var(--good-cell); } i.key.bad { background: var(--bad-cell); } i.key.ours { background: var(--ours); } i.key.other { background: var(--other); } i.key.folder { background: var(--folder); } i.key.worse { background: var(--worse); } i.key.bound { background: none; border: 1.5px dashed var(--ink); }
svg { width: 100%; max-width: 560px; height: auto; display: block; } svg text { font: 13px system-ui, sans-serif; dominant-baseline: central; fill: var(--ink); }
svg .label.other, svg .label.bound { fill: var(--soft); } svg .label.ours, svg .group { font-weight: 600; } svg .tick, svg .head { fill: var(--soft); font-size: 12px; } svg .head { font-size: 11px; }
svg .bar.ours, svg .cell.ours, svg .bar.better { fill: var(--ours); } svg .bar.other, svg .cell.other { fill: var(--other); } svg .bar.folder { fill: var(--folder); } svg .bar.worse { fill: var(--worse); }
svg .bar.bound { fill: none; stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 4 3; } svg .cell.bound { fill: var(--soft); }
svg .cell-text { font-size: 12px; } svg .cell-text.strong.ours { fill: var(--on-ours); } svg .cell-text.strong.other { fill: var(--on-other); } svg .cell-text.strong.bound { fill: var(--paper); }
svg .halo { paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; } svg .range { stroke: var(--ink); stroke-width: 1.3; fill: none; opacity: 0.75; }
svg .grid { stroke: var(--rule); } svg .mark { stroke: var(--ink); stroke-dasharray: 3 4; } svg .line { fill: none; stroke-width: 2.5; } svg .dashed { stroke-dasharray: 7 4; }
${[0, 1, 2, 3, 4, 5, 6, 7].map((i) => `svg .line.series-${i} { stroke: var(--s${i}); } svg .dot.series-${i}, svg .series-name.series-${i} { fill: var(--s${i}); }`).join('\n')}
@media (max-width: 640px) { svg text { font-size: 14px; } svg .tick, svg .cell-text { font-size: 13px; } svg .head { font-size: 12px; } table.score th, table.score td { padding: 5px 3px; font-size: 12px; } div.answer b { font-size: 26px; } }
`

export function page(title: string, lead: string, sections: readonly Section[], results: Results): string {
  const links = sections.map((section, index) => `<a href="#part-${index}">${escapeText(section.title)}</a>`)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escapeText(title)}</h1>
<p>${escapeText(lead)}</p>
<div class="answers">
${answersOf(results).map(answerHtml).join('\n')}
</div>
${scoreboard(results)}
<nav>${links.join('\n')}</nav>
${sections.map(sectionHtml).join('\n')}
${runsHtml(results)}
</body>
</html>
`
}

function sectionHtml({ title, lead, charts, tables = [], sources }: Section, index: number): string {
  const runs = sources.map((source) => {
    const { bench, repository } = source.result
    return `<a href="${anchorOf(source)}">${escapeText(`bench:${bench} ${shortName(repository)}`.trim())}</a>`
  })
  const shown = charts.filter(({ isMore }) => isMore !== true)
  const more = charts.filter(({ isMore }) => isMore === true)
  return `<section id="part-${index}">
<h2>${escapeText(title)}</h2>
<p>${escapeText(lead)}</p>
<div class="charts">
${shown.map(chartHtml).join('\n')}
</div>
${more.length === 0 ? '' : `<details><summary>${more.length} more charts</summary>\n<div class="charts">\n${more.map(chartHtml).join('\n')}\n</div>\n</details>`}
${tables.map(tableHtml).join('\n')}
<p class="source">Command and machine: ${runs.join(', ')}</p>
</section>`
}

function chartHtml({ title, svg, note, keys = [] }: Chart): string {
  const legend = keys.map(({ role, text }) => `<i class="key ${role}"></i>${escapeText(text)} `)
  return `<div>\n<h3>${escapeText(title)}</h3>\n${svg}\n<p class="note">${legend.join('')}${escapeText(note)}</p>\n</div>`
}

function answerHtml({ question, figure, unit, lines }: Answer): string {
  const items = lines.map((pieces) => `<li>${pieces.map(pieceHtml).join('')}</li>`)
  return `<div class="answer"><h2>${escapeText(question)}</h2><b>${escapeText(figure)}</b><p>${escapeText(unit)}</p>\n<ul>\n${items.join('\n')}\n</ul></div>`
}

function pieceHtml(piece: Piece): string {
  return typeof piece === 'string'
    ? escapeText(piece)
    : `<a href="${escapeText(anchorOf(piece))}">${escapeText(piece.text)}</a>`
}

function tableHtml({ title, head, rows }: Table): string {
  const line = (cells: readonly string[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeText(cell)}</${tag}>`).join('')}</tr>`
  return `<details><summary>${escapeText(title)}</summary>
<div class="wide"><table class="all">
${[line(head, 'th'), ...rows.map((row) => line(row, 'td'))].join('\n')}
</table></div>
</details>`
}

function runsHtml(results: Results): string {
  const rows = allOf(results).map((loaded) => {
    const { command } = loaded.result
    const cells = [`<code>${escapeText(command)}</code>`, escapeText(circumstances(loaded.result))]
    cells.push(`<a href="results/${escapeText(loaded.id)}.json">JSON</a>`)
    return `<tr id="run-${escapeText(loaded.id)}">${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`
  })
  return `<section>
<h2>Commands and machines</h2>
<p>Run the command with the path of a clone of that repository in place of its name. A load above the number of cores means that other work ran too.</p>
<div class="wide"><table class="runs">
${rows.join('\n')}
</table></div>
</section>`
}
