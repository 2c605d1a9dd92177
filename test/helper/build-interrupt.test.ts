/**
 * Goal: a build that is killed or interrupted loses only what was not final, and going on gives the same bytes; whoever
 * watches sees how far it is, and nobody else sees anything.
 * Method: the executable on a generated repository, ended by a signal as soon as the first segments are stored; then what
 * is stored is compared, file by file, with what the next run leaves and with a build that nobody disturbed.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { watch } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { before, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { generateRepository } from '../../bench/generate-repository.ts'
import { showBuild } from '../../helper/build/build-progress.ts'
import { openProgress } from '../../helper/progress.ts'
import { hermeticEnvironment } from '../support/git.ts'
import { directoryUntilExit } from '../support/temporary-directory.ts'

const EXECUTABLE = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'bin', 'gittorrent.js')
/** Five minutes: a build of 700 commits takes two seconds. */
const TIMEOUT_MS = 300_000

const directory = join(directoryUntilExit(), 'r.git')
const segments = join(directory, 'gittorrent', 'segments')
let expected: ReadonlyMap<string, string>

before(async () => {
  await generateRepository(directory, { commitCount: 700, seed: 3 })
  const { built, stderr } = await build()
  assert.doesNotMatch(stderr, /Building/, 'stderr is no terminal')
  expected = await storedBodies()
  assert.equal(built, expected.size)
})

function start(...args: string[]) {
  const child = spawn(process.execPath, [EXECUTABLE, 'seed', directory, '--once', '--json', ...args], {
    env: hermeticEnvironment({}),
    timeout: TIMEOUT_MS,
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => (output.stdout += chunk))
  child.stderr.on('data', (chunk) => (output.stderr += chunk))
  return { child, output, closed: once(child, 'close') }
}

async function build(...args: string[]): Promise<{ built: number; stderr: string }> {
  const { output, closed } = start('--origin', 'https://example.org/r.git', ...args)
  const [status] = await closed
  assert.equal(status, 0, output.stderr)
  return { built: JSON.parse(output.stdout).built, stderr: output.stderr }
}

/** SHA-256 of every stored segment by name. */
async function storedBodies(): Promise<Map<string, string>> {
  const bodies = new Map<string, string>()
  for (const file of (await readdir(segments)).filter((name) => name.endsWith('.json')).sort()) {
    bodies.set(file, JSON.parse(await readFile(join(segments, file), 'utf8')).sha256)
  }
  return bodies
}

async function inodes(files: Iterable<string>): Promise<string[]> {
  return Promise.all([...files].map(async (file) => `${file} ${(await stat(join(segments, file))).ino}`))
}

for (const signal of ['SIGKILL', 'SIGINT'] as const) {
  it(`${signal} in the middle of a build loses nothing that was final`, async () => {
    await rm(join(directory, 'gittorrent'), { recursive: true })
    await mkdir(segments, { recursive: true })
    const watcher = watch(segments)
    const { child, closed, output } = start('--origin', 'https://example.org/r.git')
    watcher.on('change', (_, name) => {
      if (`${name}`.endsWith('.json') && !`${name}`.startsWith('.')) child.kill(signal)
    })
    const [status, endedBy] = await closed
    watcher.close()
    if (signal === 'SIGKILL') assert.equal(endedBy, 'SIGKILL')
    else assert.equal(status, 130, output.stderr)
    const stored = await storedBodies()
    assert.ok(stored.size > 0 && stored.size < expected.size, `${stored.size} of ${expected.size}`)
    const kept = await inodes(stored.keys())
    const { built } = await build()
    assert.equal(built, expected.size - stored.size)
    assert.deepEqual(await storedBodies(), expected)
    assert.deepEqual(await inodes(stored.keys()), kept)
  })
}

it('progress is shown when it is asked for, and only then', async () => {
  await rm(join(directory, 'gittorrent'), { recursive: true })
  const { stderr } = await build('--progress')
  assert.match(stderr, /Building segments: {2}\d+% \(\d+\/\d+\).*\r/)
  assert.match(stderr, /Building segments: 100% \((\d+)\/\1\), done\. *\n/)
  await rm(join(directory, 'gittorrent'), { recursive: true })
  assert.doesNotMatch((await build('-q', '--progress')).stderr, /Building/)
})

it('rate and remaining time are those of the last seconds', () => {
  let nowMs = 0
  let written = ''
  const progress = openProgress(
    (text) => (written = text),
    () => nowMs,
  )
  const show = showBuild(progress, () => nowMs)
  const after = (seconds: number, done: number): string => {
    nowMs += seconds * 1000
    show(done, 1_000_000)
    return written.trimEnd()
  }
  assert.equal(after(1, 100), 'Building segments:   0% (100/1000000), 100 commits/s, 2 h 47 min left')
  assert.match(after(100, 500_100), /^Building segments: {2}50% \(500100\/1000000\)/)
  assert.equal(after(1, 510_100), 'Building segments:  51% (510100/1000000), 10000 commits/s, 49 s left')
  assert.equal(after(1, 1_000_000), 'Building segments: 100% (1000000/1000000), done.')
})
