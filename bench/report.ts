/**
 * Makes the report from the results of all benches: the tables of bench/RESULTS.md that are marked as generated, and
 * bench/report.html, a page of charts. Prose is left alone; a table without results is empty.
 *   npm run bench:report [-- <folder of results> <document> <page>]
 * Without arguments bench/results, bench/RESULTS.md and bench/report.html.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { readResults } from './report/results.ts'
import { pageOf } from './report/sections.ts'
import { documentWith } from './report/tables.ts'

const HOME = new URL('../../bench/', import.meta.url)
const pathOf = (name: string): string => fileURLToPath(new URL(name, HOME))
const [folder = pathOf('results'), document = pathOf('RESULTS.md'), target = pathOf('report.html')] =
  process.argv.slice(2)
const results = readResults(folder)
writeFileSync(document, documentWith(readFileSync(document, 'utf8'), results))
writeFileSync(target, pageOf(results))
