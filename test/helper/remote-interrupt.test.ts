/**
 * Goal: a session that is interrupted ends at once, with its children, and leaves nothing that git could take for data.
 * Method: a clone whose stand-in supply stalls, a signal to git or the death of git, and a look at what remains.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, watch } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { git, hermeticEnvironment } from '../support/git.ts'
import { pinsOf, type RemoteWorld, withRemoteWorld } from './remote-world.ts'

/** Starts a clone and resolves when its supply has been asked; it then stalls until it is aborted. */
async function stalledClone(world: RemoteWorld) {
  await world.supply(null, true)
  const log = join(world.directory, 'supply.log')
  await writeFile(log, '')
  const environment = hermeticEnvironment({ PATH: `${join(world.directory, 'bin')}:${process.env.PATH}` })
  const args = ['clone', '-q', `gittorrent::${world.origin}`, 'ours']
  const child = spawn('git', args, { cwd: world.directory, env: environment, stdio: 'ignore', detached: true })
  await linesOf(world, log, 1)
  return { child, log }
}

/** Resolves when the log has `count` lines. */
async function linesOf(world: RemoteWorld, log: string, count: number): Promise<void> {
  const watcher = watch(log)
  try {
    for (;;) {
      // Listening starts before the look, or a line written in between would be missed.
      const changed = once(watcher, 'change', { signal: AbortSignal.timeout(20_000) })
      changed.catch(() => {})
      if ((await world.asked()).length >= count) return
      await changed
    }
  } finally {
    watcher.close()
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  it(`${signal} ends a clone within seconds and leaves no directory`, () =>
    withRemoteWorld(async (world) => {
      const { child } = await stalledClone(world)
      const ended = once(child, 'exit', { signal: AbortSignal.timeout(10_000) })
      child.kill(signal)
      await ended
      assert.equal(existsSync(join(world.directory, 'ours')), false)
    }))
}

it('a git that is killed takes the helper with it', () =>
  withRemoteWorld(async (world) => {
    const { child, log } = await stalledClone(world)
    child.kill('SIGKILL')
    await linesOf(world, log, 2)
    assert.equal((await world.asked())[1]?.aborted, true)
  }))

it('pins that a crash left are collected by the next run, those of a living git are not', () =>
  withRemoteWorld(async (world) => {
    await world.git(['clone', '-q', '--bare', `gittorrent::${world.origin}`, 'ours'])
    const directory = join(world.directory, 'ours')
    const dead = spawn('true', { stdio: 'ignore' })
    await once(dead, 'exit')
    const pin = (pid: number | undefined) => `gittorrent-${pid}-${'0'.repeat(12)}`
    for (const name of [pin(dead.pid), pin(process.pid)]) {
      const entry = join(directory, 'worktrees', name)
      await mkdir(entry, { recursive: true })
      await writeFile(join(entry, 'gitdir'), `${join(entry, 'nowhere')}\n`)
      await writeFile(join(entry, 'HEAD'), `${world.mainLine[0]}\n`)
    }
    await git(['update-ref', 'refs/heads/extra', world.mainLine[5] ?? ''], { directory: world.origin })
    await git(['commit-tree', '-m', 'new', `${world.mainLine[5]}^{tree}`], { directory: world.origin }).then((oid) =>
      git(['update-ref', 'refs/heads/extra', oid], { directory: world.origin }),
    )
    await world.git(['fetch', '-q', 'origin', 'refs/heads/*:refs/heads/*'], { directory })
    assert.deepEqual(await pinsOf(directory), [pin(process.pid)])
  }))
