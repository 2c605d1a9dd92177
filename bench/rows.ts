/**
 * Question: do the tables that a build keeps of every object hold the history of the largest public projects, and how long
 * does it take to load them? Fills a line with rows as if they came from stored segments, then looks names up.
 * Times are CPU times. Bound: rows · 30 bytes, which is what the stored rows have.
 *   npm run bench:rows -- [objects] [objects of a segment] [different names]
 */

import { randomBytes } from 'node:crypto'
import { LineState, ObjectRows } from '../engine/index.ts'
import { randomNumbers } from './random-numbers.ts'

const HASH_LENGTH = 20
const BLOB = 3
const [objects = '20000000', perSegment = '10000', names = '1000000'] = process.argv.slice(2)
const count = Number(perSegment)
const segmentCount = Math.ceil(Number(objects) / count)
const random = randomNumbers(1)
const wide = (): number => random(65_536) * 65_536 + random(65_536)
const line = new LineState(new ObjectRows(HASH_LENGTH))
const types = new Uint8Array(count).fill(BLOB)
const depths = new Uint8Array(count)
const some = new Uint8Array(segmentCount * HASH_LENGTH)
let loadMs = 0

/** CPU time of this process: other work on the machine disturbs it less than it does the clock. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

for (let segment = 0; segment < segmentCount; segment++) {
  const oids = randomBytes(count * HASH_LENGTH)
  some.set(oids.subarray(0, HASH_LENGTH), segment * HASH_LENGTH)
  const keys = Uint32Array.from({ length: count }, () => wide() % Number(names))
  const start = cpuMs()
  line.addRows({ count, oids, types, depths, nameAt: (row) => keys[row] ?? 0 })
  line.closeSegment()
  loadMs += cpuMs() - start
}
const start = cpuMs()
let found = 0
for (let segment = 0; segment < segmentCount; segment++) {
  if (line.findBytes(some, segment * HASH_LENGTH) === segment * count) found++
}
console.log(
  JSON.stringify({
    rows: line.rows.count,
    loadMs: Math.round(loadMs),
    microsecondsPerRow: Number(((loadMs * 1000) / line.rows.count).toFixed(2)),
    lookups: found,
    microsecondsPerLookup: Number((((cpuMs() - start) * 1000) / segmentCount).toFixed(2)),
    rssMaxBytes: process.resourceUsage().maxRSS * 1024,
    bytesPerRow: Math.round((process.resourceUsage().maxRSS * 1024) / line.rows.count),
    node: process.version,
  }),
)
