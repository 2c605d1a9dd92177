/**
 * Draws the results of benchmarks: JSON files in, one HTML page with SVG charts out.
 *   npm run bench:report -- <page to write> <JSON files…>
 * Files are told apart by their `bench`: "sharing" (bench:sharing) or "grain" (bench:grain).
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { grainSection } from './report/grain-charts.ts'
import { page, type Section } from './report/page.ts'
import { sharingSection } from './report/sharing-charts.ts'
import type { GrainReport } from './sharing/grain-report.ts'
import type { Report } from './sharing/print.ts'

const [target, ...files] = process.argv.slice(2)
if (target === undefined || files.length === 0) {
  console.error('usage: npm run bench:report -- <page to write> <JSON files…>')
  process.exit(129)
}
const results = files.map((file) => JSON.parse(readFileSync(file, 'utf8')) as Report | GrainReport)
const sections: Section[] = results.filter((result) => result.bench === 'sharing').map(sharingSection)
const grains = results.filter((result) => result.bench === 'grain')
if (grains.length > 0) sections.push(grainSection(grains))
const lead =
  'Measured on real histories. Blue is GitTorrent, grey is what it is compared with, green what sharing every byte would give.'
writeFileSync(target, page('GitTorrent: what peers can share', lead, sections))
