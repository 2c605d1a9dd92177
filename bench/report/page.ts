/**
 * The page around the charts: one HTML file without scripts or outside resources, light and dark by the reader's choice. It ends
 * with a table of all runs; every number of the charts leads to its row there: command, machine, and the JSON file.
 */

import { allOf, anchorOf, circumstances, type Loaded, type Results } from './results.ts'
import { scoreboard } from './scoreboard.ts'
import { escapeText } from './svg.ts'

export interface Chart {
  readonly title: string
  readonly svg: string
  readonly note: string
  /** Shown on demand, under those that are not. */
  readonly isMore?: boolean
}

/** Charts about one question, and the runs behind them. */
export interface Section {
  readonly title: string
  readonly lead: string
  readonly charts: readonly Chart[]
  readonly sources: readonly Loaded<{ readonly repository: string; readonly bench: string }>[]
}

const STYLE = `
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1f24; --soft: #5b6570; --rule: #d9dee3; --ours: #0b6bcb; --other: #8a95a1; --bound: #2e8555; --worse: #c2410c;
  --on-ours: #fff; --on-other: #1b1f24; --on-bound: #fff; --good-cell: #d8e8fa; --bad-cell: #fbdfd0;
  --s0: #0b6bcb; --s1: #c2410c; --s2: #2e8555; --s3: #8b3fc7; --s4: #a16207; --s5: #be185d; --s6: #0e7490; --s7: #5b6570; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14181d; --ink: #e8ecf0; --soft: #9aa5b1; --rule: #313942; --ours: #4aa3ff; --other: #7b8794; --bound: #4fb47f; --worse: #fb8b4c;
    --on-ours: #08121d; --on-other: #0d1115; --on-bound: #08130d; --good-cell: #12355a; --bad-cell: #5c2c12;
    --s0: #4aa3ff; --s1: #fb8b4c; --s2: #4fb47f; --s3: #c08bf0; --s4: #e0b040; --s5: #f472b6; --s6: #4cc3d9; --s7: #9aa5b1; } }
body { margin: 0 auto; max-width: 800px; padding: 24px 20px 64px; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 26px; margin: 8px 0 4px; } h2 { font-size: 21px; margin: 48px 0 2px; border-top: 1px solid var(--rule); padding-top: 24px; }
h3 { font-size: 16px; margin: 26px 0 6px; } p { margin: 4px 0; color: var(--soft); } p.note, p.source { font-size: 13px; } code { font-size: 12px; overflow-wrap: anywhere; }
a { color: inherit; text-decoration: underline; text-decoration-color: var(--rule); text-underline-offset: 3px; } svg a { text-decoration: none; } svg a text { cursor: pointer; } svg a:hover text { text-decoration: underline; }
nav { font-size: 14px; color: var(--soft); margin: 10px 0; } nav a { margin-right: 14px; white-space: nowrap; }
div.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 14px; width: 100%; } th, td { padding: 6px 8px; text-align: right; } th { font-weight: 500; color: var(--soft); vertical-align: bottom; line-height: 1.25; }
th:first-child, td:first-child { text-align: left; } details { margin: 18px 0; } summary { cursor: pointer; font-size: 14px; } table.score th + th, table.score td + td { text-align: center; } table.score td { border: 2px solid var(--paper); font-variant-numeric: tabular-nums; } td.good { background: var(--good-cell); } td.bad { background: var(--bad-cell); }
table.runs td { text-align: left; vertical-align: top; border-top: 1px solid var(--rule); font-size: 13px; } tr:target { background: var(--good-cell); }
i.key { display: inline-block; width: 12px; height: 12px; border-radius: 2px; vertical-align: -1px; margin: 0 4px 0 10px; } i.good { background: var(--good-cell); } i.bad { background: var(--bad-cell); }
div.chart { overflow-x: auto; } svg { width: 100%; min-width: 620px; height: auto; display: block; } svg text { font: 13px system-ui, sans-serif; dominant-baseline: central; fill: var(--ink); }
svg .label.other { fill: var(--soft); } svg .label.ours { font-weight: 600; } svg .label.bound { fill: var(--bound); } svg .tick { fill: var(--soft); font-size: 12px; }
svg .bar.ours, svg .cell.ours, svg .bar.better { fill: var(--ours); } svg .bar.other, svg .cell.other { fill: var(--other); } svg .bar.bound, svg .cell.bound { fill: var(--bound); } svg .bar.worse { fill: var(--worse); }
svg .cell-text { font-size: 12px; } svg .cell-text.strong.ours { fill: var(--on-ours); } svg .cell-text.strong.other { fill: var(--on-other); } svg .cell-text.strong.bound { fill: var(--on-bound); }
svg .halo { paint-order: stroke; stroke: var(--paper); stroke-width: 5px; } svg .range { stroke: var(--ink); stroke-width: 1.5; opacity: 0.6; }
svg .grid { stroke: var(--rule); } svg .mark { stroke: var(--soft); stroke-dasharray: 3 4; } svg .line { fill: none; stroke-width: 2.5; }
${[0, 1, 2, 3, 4, 5, 6, 7].map((i) => `svg .line.series-${i} { stroke: var(--s${i}); } svg .dot.series-${i}, svg .series-name.series-${i} { fill: var(--s${i}); }`).join('\n')}
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
${scoreboard(results)}
<nav>${links.join('\n')}</nav>
${sections.map(sectionHtml).join('\n')}
${runsHtml(results)}
</body>
</html>
`
}

function sectionHtml({ title, lead, charts, sources }: Section, index: number): string {
  const runs = sources.map((source) => {
    const { bench, repository } = source.result
    return `<a href="${anchorOf(source)}">${escapeText(`bench:${bench} ${repository}`.trim())}</a>`
  })
  const shown = charts.filter(({ isMore }) => isMore !== true)
  const more = charts.filter(({ isMore }) => isMore === true)
  return `<section id="part-${index}">
<h2>${escapeText(title)}</h2>
<p>${escapeText(lead)}</p>
${shown.map(chartHtml).join('\n')}
${more.length === 0 ? '' : `<details><summary>${more.length} charts more</summary>\n${more.map(chartHtml).join('\n')}\n</details>`}
<p class="source">Command and machine: ${runs.join(', ')}</p>
</section>`
}

function chartHtml({ title, svg, note }: Chart): string {
  return `<h3>${escapeText(title)}</h3>\n<div class="chart">${svg}</div>\n<p class="note">${escapeText(note)}</p>`
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
