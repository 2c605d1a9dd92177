/**
 * The page around the charts: one HTML file without scripts or outside resources, light and dark by the reader's choice.
 */

import { escapeText } from './svg.ts'

export interface Chart {
  readonly title: string
  readonly svg: string
  readonly note: string
}

/** Charts from one source, which is named under them. */
export interface Section {
  readonly title: string
  readonly lead: string
  readonly charts: readonly Chart[]
  readonly source: { readonly command: string; readonly machine: string; readonly details: string }
}

const STYLE = `
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1f24; --soft: #5b6570; --rule: #d9dee3; --ours: #0b6bcb; --other: #8a95a1; --bound: #2e8555;
  --on-ours: #fff; --on-other: #1b1f24; --on-bound: #fff;
  --s0: #0b6bcb; --s1: #c2410c; --s2: #2e8555; --s3: #8b3fc7; --s4: #a16207; --s5: #be185d; --s6: #0e7490; --s7: #5b6570; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14181d; --ink: #e8ecf0; --soft: #9aa5b1; --rule: #313942; --ours: #4aa3ff; --other: #7b8794; --bound: #4fb47f;
    --on-ours: #08121d; --on-other: #0d1115; --on-bound: #08130d;
    --s0: #4aa3ff; --s1: #fb8b4c; --s2: #4fb47f; --s3: #c08bf0; --s4: #e0b040; --s5: #f472b6; --s6: #4cc3d9; --s7: #9aa5b1; } }
body { margin: 0 auto; max-width: 800px; padding: 24px 20px 64px; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 26px; margin: 8px 0 4px; } h2 { font-size: 21px; margin: 48px 0 2px; border-top: 1px solid var(--rule); padding-top: 24px; }
h3 { font-size: 16px; margin: 26px 0 6px; } p { margin: 4px 0; color: var(--soft); } p.note, p.source { font-size: 13px; } code { font-size: 12px; overflow-wrap: anywhere; }
div.chart { overflow-x: auto; } svg { width: 100%; min-width: 620px; height: auto; display: block; } svg text { font: 13px system-ui, sans-serif; dominant-baseline: central; fill: var(--ink); }
svg .label.other { fill: var(--soft); } svg .label.ours { font-weight: 600; } svg .label.bound { fill: var(--bound); } svg .tick { fill: var(--soft); font-size: 12px; }
svg .bar.ours, svg .cell.ours { fill: var(--ours); } svg .bar.other, svg .cell.other { fill: var(--other); } svg .bar.bound, svg .cell.bound { fill: var(--bound); }
svg .cell-text { font-size: 12px; } svg .cell-text.strong.ours { fill: var(--on-ours); } svg .cell-text.strong.other { fill: var(--on-other); } svg .cell-text.strong.bound { fill: var(--on-bound); }
svg .halo { paint-order: stroke; stroke: var(--paper); stroke-width: 5px; }
svg .grid { stroke: var(--rule); } svg .mark { stroke: var(--soft); stroke-dasharray: 3 4; } svg .line { fill: none; stroke-width: 2.5; }
${[0, 1, 2, 3, 4, 5, 6, 7].map((i) => `svg .line.series-${i} { stroke: var(--s${i}); } svg .dot.series-${i}, svg .series-name.series-${i} { fill: var(--s${i}); }`).join('\n')}
`

export function page(title: string, lead: string, sections: readonly Section[]): string {
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
${sections.map(sectionHtml).join('\n')}
</body>
</html>
`
}

function sectionHtml({ title, lead, charts, source }: Section): string {
  const { command, machine, details } = source
  return `<section>
<h2>${escapeText(title)}</h2>
<p>${escapeText(lead)}</p>
${charts.map((chart) => `<h3>${escapeText(chart.title)}</h3>\n<div class="chart">${chart.svg}</div>\n<p class="note">${escapeText(chart.note)}</p>`).join('\n')}
<p class="source"><code>${escapeText(command)}</code><br>${escapeText(machine)}; ${escapeText(details)}</p>
</section>`
}
