/**
 * The parts of the page in their order, as far as there are results for them.
 */

import { buildSection, cloneSection, readingSection } from './cost-charts.ts'
import { flashSection, rivalsSection, staticSection, swarmSection } from './crowd-charts.ts'
import { grainSection } from './grain-charts.ts'
import { kernelSection } from './kernel-charts.ts'
import { page, type Section } from './page.ts'
import type { Results } from './results.ts'
import { sharingSection } from './sharing-charts.ts'

export function pageOf(results: Results): string {
  const of = <T>(all: readonly T[], draw: (all: readonly T[]) => Section): Section[] =>
    all.length > 0 ? [draw(all)] : []
  const sections = [
    ...of(results.build, buildSection),
    ...of(results.clone, cloneSection),
    ...of(results.clone, readingSection),
    ...of(results.rivals, rivalsSection),
    ...of(results.swarm, swarmSection),
    ...of(results.static, staticSection),
    ...of(results.flash, flashSection),
    ...results.sharing.map((loaded, index) => sharingSection(loaded, index === 0)),
    ...of(results.grain, grainSection),
    ...of(results.micro, kernelSection),
  ]
  const lead =
    'Real histories, real processes, one machine, by turns with what is compared. Blue is GitTorrent, or less than git; grey is what it is compared with; orange is more than git; a dashed outline is a bound that nobody can pass. Thin lines run from the least to the most of the runs. Every number leads to its command and machine.'
  return page('GitTorrent: measured', lead, sections, results)
}
