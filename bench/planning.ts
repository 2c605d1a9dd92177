/**
 * Question: how long until it is known which segments and links a history of the size of the Linux kernel has?
 * Reads a generated commit-graph file through the helper's own way (file, checksum, parsing, index), then selects the
 * checkpoints and plans the chains of the main line and of 63 release branches. Bound: the checksum of the file, which is
 * printed beside. Also the worst that a history can be: as many commits on one line.
 *   npm run bench:planning -- [commits] [runs]
 */

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { CommitGraph, type Oid } from '../engine/index.ts'
import { planHistory } from '../helper/build/history.ts'
import { readCommits } from '../helper/git/commits.ts'
import { openRepository } from '../helper/git/repository.ts'
import { generateCommitGraph } from './generate-commit-graph.ts'

const [commits = '1300000', runs = '5'] = process.argv.slice(2)
const scratch = mkdtempSync(join(tmpdir(), 'gittorrent-planning-'))
const shapes = [
  { name: 'project', isLinear: false },
  { name: 'one line', isLinear: true },
]
try {
  execFileSync('git', ['init', '--quiet', '--bare', scratch])
  const repository = await openRepository(scratch)
  for (const { name, isLinear } of shapes) {
    const { file, tips } = generateCommitGraph({ commitCount: Number(commits), seed: 1, releaseCount: 63, isLinear })
    writeFileSync(join(scratch, 'objects', 'info', 'commit-graph'), file)
    const named = tips.map((oid, index) => ({ ref: `refs/heads/${index}`, oid: oid as Oid }))
    const readMs: number[] = []
    const totalMs: number[] = []
    const cpuMs: number[] = []
    const hashMs: number[] = []
    let found = {}
    for (let run = 0; run < Number(runs); run++) {
      const start = performance.now()
      createHash('sha1').update(file).digest()
      const hashed = performance.now()
      await readCommits(scratch, tips, new CommitGraph('sha1'))
      const read = performance.now()
      const cpu = process.cpuUsage()
      const { graph, lines } = await planHistory(repository, named)
      totalMs.push(performance.now() - read)
      const { user, system } = process.cpuUsage(cpu)
      cpuMs.push((user + system) / 1000)
      readMs.push(read - hashed)
      hashMs.push(hashed - start)
      const segments = lines.reduce(
        (sum, { links }) => sum + links.reduce((all, link) => all + link.segments.length, 0),
        0,
      )
      const main = lines[0]
      found = {
        commits: graph.count,
        firstParents: main?.line.length,
        checkpoints: main?.line.checkpoints.length,
        lines: lines.length,
        links: main?.links.length,
        segments,
      }
    }
    const result = { shape: name, ...found, fileBytes: file.length, checksum: spread(hashMs), read: spread(readMs) }
    console.log(
      JSON.stringify({
        ...result,
        total: spread(totalMs),
        totalCpu: spread(cpuMs),
        rssMax: process.resourceUsage().maxRSS * 1024,
      }),
    )
  }
  console.log(JSON.stringify({ cpu: cpus()[0]?.model, node: process.version, unit: 'ms: least, median, most' }))
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

function spread(values: readonly number[]): number[] {
  const sorted = [...values].sort((a, b) => a - b)
  return [0, sorted.length >> 1, sorted.length - 1].map((index) => Math.round(sorted[index] ?? 0))
}
