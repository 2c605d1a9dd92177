/**
 * The main job, shown and checked on one machine: an origin, a seeder that nobody was told of, a clone that finds it by
 * tracker and DHT, the same clone by plain git, and a later fetch.
 *   npm run demo [-- <path or URL of a repository>]
 * Without a repository it takes this project's own history, or a generated one while that is too short. Exit status 1
 * if a check fails. All traffic stays on 127.0.0.1.
 */

import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Bytes, DemoWorld } from './demo-world.ts'
import { generateRepository } from './generate-repository.ts'

const PROJECT = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..')
/** Below this many first-parent commits a history has too few checkpoints to show anything. */
const LINE_LENGTH_MIN = 400
const GENERATED_COMMIT_COUNT = Number(process.env.DEMO_COMMIT_COUNT ?? 6000)
const LATER_COMMIT_COUNT = 500

const failures: string[] = []

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

function row(what: string, value: string): void {
  say(`  ${what.padEnd(38)} ${value}`)
}

function check(claim: string, holds: boolean): void {
  row(claim, holds ? 'yes' : 'NO')
  if (!holds) failures.push(claim)
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(2)} MiB`
const share = ({ peers, origin }: Bytes): string => `${((peers * 100) / Math.max(1, peers + origin)).toFixed(1)} %`

/** Makes `origin.git` from what was asked for. */
async function prepareOrigin(world: DemoWorld, asked: string | undefined): Promise<void> {
  const source = asked ?? (existsSync(join(PROJECT, '.git')) ? PROJECT : undefined)
  if (source !== undefined) {
    const url = source.includes('://') || source.includes('::') ? source : `file://${resolve(source)}`
    await world.git('clone', '--quiet', '--bare', url, 'origin.git')
    const length = Number(
      await world.git('-C', 'origin.git', 'rev-list', '--first-parent', '--count', 'HEAD').catch(() => '0'),
    )
    if (length >= LINE_LENGTH_MIN || asked !== undefined)
      return say(`Repository: ${source} (${length} commits on its main line)`)
    say(`This project's own history has ${length} commits on its main line: too short for a chain worth showing.`)
    await world.run('rm', ['-rf', 'origin.git'])
  }
  say(`Repository: a generated history of ${GENERATED_COMMIT_COUNT} commits`)
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: GENERATED_COMMIT_COUNT, seed: 1 })
}

async function checkClone(world: DemoWorld, clone: string, plain: string): Promise<void> {
  const refs = (directory: string): Promise<string> => world.git('-C', directory, 'for-each-ref')
  const objects = async (directory: string): Promise<string> => {
    const listed = await world.git('-C', directory, 'rev-list', '--objects', '--no-object-names', '--all')
    return listed.split('\n').sort().join('\n')
  }
  check('refs equal to those of a plain clone', (await refs(clone)) === (await refs(plain)))
  check('same set of reachable objects', (await objects(clone)) === (await objects(plain)))
  const fsck = await world.run('git', ['-C', clone, 'fsck', '--full', '--no-progress']).then(
    ({ stderr }) => ({ isClean: true, text: stderr.trim().split('\n')[0] ?? '' }),
    (error: Error) => ({ isClean: false, text: error.message }),
  )
  check(`git fsck is clean${fsck.text === '' ? '' : ` (${fsck.text.slice(0, 60)})`}`, fsck.isClean)
}

/** Adds commits to the origin's main branch, as a busy day would. */
async function addCommits(world: DemoWorld): Promise<void> {
  const branch = await world.git('-C', 'origin.git', 'symbolic-ref', 'HEAD')
  const parts: string[] = []
  for (let i = 0; i < LATER_COMMIT_COUNT; i++) {
    const message = `later commit ${i}`
    const content = `${Array.from({ length: 40 }, (_, line) => `line ${line} of step ${line % 7 === i % 7 ? i : 0}`).join('\n')}\n`
    parts.push(`commit ${branch}`, `committer Demo <demo@example.org> ${1_800_000_000 + i * 60} +0000`)
    parts.push(`data ${message.length}`, message, ...(i === 0 ? [`from ${branch}^0`] : []))
    parts.push(`M 100644 inline demo/notes-${i % 12}.txt`, `data ${content.length}`, content)
  }
  await world.run('git', ['-C', 'origin.git', 'fast-import', '--quiet'], { input: `${parts.join('\n')}\n` })
}

async function showClone(world: DemoWorld): Promise<{ stop: () => Promise<void> }> {
  say('\nSeeding')
  const seeder = await world.startSeeder('origin.git')
  row('build all segments and links', seconds(seeder.durationMs))
  for (const line of seeder.said.split('\n'))
    if (line.startsWith('gittorrent:')) row('', line.slice('gittorrent: '.length))

  say('\nCloning through the swarm (nobody was told where the seeder is)')
  const url = `gittorrent::${world.originUrl('origin.git')}`
  const whole = await world.viaSwarm(['clone', '--quiet', url, 'clone'])
  row('git clone gittorrent::…', seconds(whole.durationMs))
  row('from peers', mebibytes(whole.bytes.peers))
  row('from the origin', mebibytes(whole.bytes.origin))
  row('share from peers, all branches and tags', share(whole.bytes))
  const plain = await world.run('git', ['clone', '--quiet', world.originUrl('origin.git'), 'plain'])
  row('plain git clone of the same', seconds(plain.durationMs))
  await checkClone(world, 'clone', 'plain')
  const main = await world.viaSwarm(['clone', '--quiet', '--bare', '--single-branch', '--no-tags', url, 'main.git'])
  row('share from peers, main line alone', share(main.bytes))
  check('the swarm was used', whole.bytes.peers > 0)
  return seeder
}

async function showFetch(world: DemoWorld, seeder: { stop: () => Promise<void> }): Promise<void> {
  say(`\nA later fetch, after ${LATER_COMMIT_COUNT} new commits on the origin`)
  await addCommits(world)
  await seeder.stop()
  const again = await world.startSeeder('origin.git')
  row('build what is new', seconds(again.durationMs))
  const fetched = await world.viaSwarm(['-C', 'clone', 'fetch', '--quiet'])
  row('git fetch', seconds(fetched.durationMs))
  row('from peers', mebibytes(fetched.bytes.peers))
  row('from the origin', mebibytes(fetched.bytes.origin))
  await world.git('-C', 'plain', 'fetch', '--quiet')
  await checkClone(world, 'clone', 'plain')
  await again.stop()
}

async function main(): Promise<void> {
  const world = await DemoWorld.open()
  process.once('SIGINT', () => void world.close().then(() => process.exit(130)))
  try {
    await prepareOrigin(world, process.argv[2])
    await world.startDaemon()
    await world.startMeetingPoints()
    await showFetch(world, await showClone(world))
  } finally {
    await world.close()
  }
  say(failures.length === 0 ? '\nAll checks passed.' : `\nFailed: ${failures.join('; ')}`)
  if (failures.length > 0) process.exitCode = 1
}

try {
  await main()
} catch (error) {
  process.stderr.write(`fatal: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
