/**
 * Goal: figures of whole processes are those of everything that a command starts. Method: commands whose memory, time
 * and failure are known beforehand, measured; medians and ratios worked out by hand.
 */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { measure, ratios, spread } from '../../bench/measure.ts'
import { repositoryName } from '../../bench/result-file.ts'
import { projectRoot } from '../tidy/project.ts'

const PLACE = { folder: tmpdir(), environment: process.env }
const MEBIBYTES = 150

/** A process that fills so much memory, computes for a while, and says how long it computed. */
const GREEDY = `const held = Buffer.alloc(${MEBIBYTES} << 20, 1); const from = process.cpuUsage().user; while (process.cpuUsage().user - from < 3e5); held[1]`

test('memory is that of all processes together, time that of all that were waited for', async () => {
  const one = `${process.execPath} -e '${GREEDY}'`
  const { peakMiB, cpuSeconds, seconds } = await measure(PLACE, `${one} & ${one} & wait`)
  assert.ok(peakMiB !== null && peakMiB > 2 * MEBIBYTES && peakMiB < 3 * MEBIBYTES, String(peakMiB))
  assert.ok(cpuSeconds >= 0.6, String(cpuSeconds))
  assert.ok(seconds >= 0.3, String(seconds))
})

test('a command that fails is an error with what it said', async () => {
  await assert.rejects(measure(PLACE, 'echo oh no >&2; false'), /expected status 0, got 1: oh no/)
})

test('a command that takes too long is ended with all that it started', async () => {
  const { stdout: name } = await measure(PLACE, 'mktemp -u')
  const pipe = name.trim()
  await assert.rejects(
    measure(PLACE, `mkfifo ${pipe}; cat ${pipe} & echo $! > ${pipe}.pid; wait`, { secondsMax: 1 }),
    /expected an end within 1 s/,
  )
  const pid = Number(readFileSync(`${pipe}.pid`, 'utf8'))
  for (const file of [pipe, `${pipe}.pid`]) rmSync(file)
  // A zombie may still have its number.
  assert.ok(!isReadable(`/proc/${pid}/exe`))
})

function isReadable(link: string): boolean {
  try {
    readlinkSync(link)
    return true
  } catch {
    return false
  }
}

test('what a command prints is kept', async () => {
  assert.equal((await measure(PLACE, 'echo out; echo err >&2')).stdout, 'out\n')
})

test('medians, and ratios of neighbouring runs', () => {
  assert.deepEqual(spread([3, 1, 2]), { median: 2, min: 1, max: 3, runs: 3 })
  assert.deepEqual(spread([4, 1]), { median: 2.5, min: 1, max: 4, runs: 2 })
  assert.deepEqual(ratios([2, 9, 4], [1, 3, 8]), { median: 2, min: 0.5, max: 3, runs: 3 })
})

test('repositories are named by their folders', () => {
  const paths = ['/x/git+git/repo', '/x/express.git', '/x/express', '/x/express/.git', '/x/express/']
  assert.deepEqual(paths.map(repositoryName), ['git/git', 'express', 'express', 'express', 'express'])
})

test('what is no repository is refused with its name and the usage, before anything is made', () => {
  for (const bench of ['build', 'sharing']) {
    const script = join(projectRoot, 'dist', 'bench', `${bench}.js`)
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, '/nowhere'], { encoding: 'utf8' })
    assert.deepEqual([status, stdout], [129, ''])
    const [first, second] = stderr.split('\n')
    assert.equal(first, '/nowhere: expected a git repository, got none')
    assert.match(second ?? '', new RegExp(`^usage: npm run bench:${bench} -- <repository>`))
  }
})
