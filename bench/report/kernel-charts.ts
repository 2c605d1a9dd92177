/**
 * The chart of the kernels: how many times the bound that the machine sets each of them takes.
 */

import type { MicroReport } from '../micro/report.ts'
import type { Chart, Section } from './page.ts'
import { ratioChart } from './ratio-chart.ts'
import { anchorOf, type Loaded } from './results.ts'

export function kernelSection(results: readonly Loaded<MicroReport>[]): Section {
  const charts = results.map((loaded): Chart => {
    const bars = Object.entries(loaded.result.kernels).flatMap(([name, { bound, ratio }]) =>
      bound === null
        ? []
        : [
            {
              label: name.replace(' (word hash)', ''),
              value: ratio[1],
              range: [ratio[0], ratio[2]] as const,
              href: anchorOf(loaded),
              text: `${ratio[1].toPrecision(3)} × ${bound}`,
            },
          ],
    )
    const { against, slower, rounds } = loaded.result
    const title = 'Time per byte, times the bound'
    const verdict =
      against === null
        ? ''
        : ` Against ${against}: ${slower.length === 0 ? 'none slower beyond noise' : `slower: ${slower.join(', ')}`}.`
    return { title, svg: ratioChart(title, bars, 'bound'), note: `Median of ${rounds} rounds.${verdict}` }
  })
  return {
    title: 'Kernels',
    lead: 'Bounds: copying as many bytes, zlib, SHA and Ed25519 of node:crypto. Nothing can reach a copy that has to look at its bytes; what counts is that no bar grows.',
    charts,
    sources: results,
  }
}
