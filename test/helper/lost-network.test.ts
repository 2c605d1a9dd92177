/**
 * Goal: a network that goes away in the middle of a clone costs time, not the clone; the daemon serves and ends as before when
 * it is back.
 * Method: everything of one scene in a network namespace, where its loopback is taken down and up; and the same with a
 * peer that is stopped and continued, for which no namespace is needed.
 */

import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const SCENE = join(dirname(fileURLToPath(import.meta.url)), 'lost-network-scene.js')
const run = promisify(execFile)

/** What runs a program in a network namespace of its own; nothing where the machine allows none. */
function isolation(): string[] {
  const options = process.getuid?.() === 0 ? ['--net'] : ['--map-root-user', '--net']
  const { status } = spawnSync('unshare', [...options, 'ip', 'link', 'set', 'lo', 'up'])
  return status === 0 ? ['unshare', ...options] : []
}

it('a clone whose network is down for a while is whole when it is back', async () => {
  const [program = process.execPath, ...args] = isolation()
  const how = args.length === 0 ? 'peer' : 'link'
  const rest = args.length === 0 ? [SCENE, how] : [...args, process.execPath, SCENE, how]
  assert.equal((await run(program, rest)).stdout, 'whole\n')
})

it('a clone whose peer falls silent for a while is whole', async () => {
  assert.equal((await run(process.execPath, [SCENE, 'peer'])).stdout, 'whole\n')
})
