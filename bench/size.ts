/**
 * Question: how many bytes, how deep, how long, if a constant of the format were another?
 * Builds all segments of HEAD's line at one cut level under given parameters and prints one line of JSON.
 *   npm run bench:size -- <repository> [threads] [parameters as JSON] [cut level] [pack to write]
 */

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import {
  buildSegments,
  CommitGraph,
  CommitMarks,
  createCheckpointRule,
  type FormatParameters,
  GT1,
  LineState,
  ObjectRows,
  planChain,
  readLine,
} from '../engine/index.ts'
import { Workshop } from '../helper/build/workshop.ts'
import { readCommits } from '../helper/git/commits.ts'
import { givenRepository } from './given-repository.ts'

const [path, threads = String(availableParallelism()), json = '{}', cutLevel, packFile] = process.argv.slice(2)
const usage = 'npm run bench:size -- <repository> [threads] [parameters as JSON] [cut level] [pack to write]'
const { gitDir } = givenRepository(path, usage)
const parameters: FormatParameters = { ...GT1, ...JSON.parse(json) }
const t0 = performance.now()
const graph = new CommitGraph('sha1')
const tip = execFileSync('git', ['-C', gitDir, 'rev-parse', 'HEAD']).toString().trim()
await readCommits(gitDir, [tip], graph)
const levelOf = await createCheckpointRule(parameters)
const line = readLine(graph, tip as never, levelOf)
const chain = planChain(line, parameters)
const cut = cutLevel === undefined ? parameters.coarseLevel : Number(cutLevel)
const cuts = [...line.checkpoints]
  .reverse()
  .filter((c) => c.level >= cut)
  .map((c) => c.oid as string)
if (cuts[cuts.length - 1] !== tip) cuts.push(tip)
const t1 = performance.now()
const workshop = await Workshop.open(gitDir, tmpdir(), Number(threads))
const { pool, spills } = workshop
const rows = new ObjectRows(20)
const state = new LineState(rows)
const bodies: Uint8Array[] = []
let bytes = 0,
  objects = 0,
  segments = 0
const hash = createHash('sha1')
const byKind: Record<string, { n: number; z: number; whole: number; wz: number }> = {}
let depthMax = 0,
  depthSum = 0
await buildSegments(
  cuts.map((oid, i) => ({ tip: oid, base: cuts[i - 1] ?? null })),
  { graph, line: state, taken: new CommitMarks(graph), pool, spills, parameters },
  async (s) => {
    bytes += s.length
    for await (const part of s.parts()) {
      hash.update(part)
      if (packFile !== undefined) bodies.push(part)
    }
    objects += s.objectCount
    segments++
    for (let i = 0; i < s.numbers.length; i++) {
      const n = s.numbers[i] ?? 0,
        end = s.offsets[i + 1] ?? s.length,
        z = end - (s.offsets[i] ?? 0)
      const k = (byKind[rows.views.types[n] ?? 0] ??= { n: 0, z: 0, whole: 0, wz: 0 })
      k.n++
      k.z += z
      if ((rows.views.bases[n] ?? -1) < 0) {
        k.whole++
        k.wz += z
      }
      const d = rows.views.depths[n] ?? 0
      depthSum += d
      if (d > depthMax) depthMax = d
    }
  },
)
await workshop.close()
if (packFile !== undefined) {
  const head = Buffer.from('5041434b0000000200000000', 'hex')
  head.writeUInt32BE(objects, 8)
  const trailer = createHash('sha1').update(head)
  for (const body of bodies) trailer.update(body)
  writeFileSync(packFile, Buffer.concat([head, ...bodies, trailer.digest()]))
}
const mem = process.resourceUsage().maxRSS / 1024
console.log(
  JSON.stringify({
    json,
    cut,
    links: chain.length,
    segments,
    objects,
    MB: bytes / 1e6,
    read: (t1 - t0) / 1e3,
    build: (performance.now() - t1) / 1e3,
    cpu: process.cpuUsage().user / 1e6,
    rssMB: mem,
    depthMax,
    depthAvg: depthSum / objects,
    sha: hash.digest('hex').slice(0, 12),
    byKind,
  }),
)
