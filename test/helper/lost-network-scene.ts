/**
 * A clone in whose middle the network goes away and comes back, as a program of its own: in a network namespace whose
 * loopback is taken down (`link`), or where the peer stops answering (`peer`). Throws where something is not as it should
 * be; prints what the clone had from where.
 */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { watch } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DaemonScene } from './daemon-scene.ts'

const [, , how] = process.argv
const setLoopback = (state: string): void => {
  execFileSync('ip', ['link', 'set', 'lo', state])
}
if (how === 'link') setLoopback('up')

const scene = await DaemonScene.open()
try {
  const { world, url } = scene
  const daemon = await scene.start(['--upload-limit', '40k'], 'home-lost')
  await scene.keptClone(daemon, 'kept')
  const trace = join(world.folder, 'trace-of-clone')
  await writeFile(trace, '')
  const settings = daemon.settings().flatMap((setting) => ['-c', setting])
  const clone = world.run('git', [...settings, 'clone', '--quiet', '--bare', url, 'cut.git'], {
    environment: { GITTORRENT_TRACE: trace },
  })
  await daemon.until('kept', ({ uploaded }) => uploaded > 0)
  const noticed = watch(trace)
  if (how === 'link') setLoopback('down')
  else process.kill(daemon.pid, 'SIGSTOP')
  // Whatever the clone says next, it says of the silence.
  await Promise.race([once(noticed, 'change'), clone])
  noticed.close()
  if (how === 'link') setLoopback('up')
  else process.kill(daemon.pid, 'SIGCONT')
  await clone
  const refs = (of: string): Promise<string> => world.git('-C', of, 'for-each-ref')
  assert.equal(await refs('cut.git'), await refs('origin.git'))
  await world.git('-C', 'cut.git', 'fsck', '--full', '--no-progress')
  await daemon.ask('add', 'kept')
  await scene.assertAvailable(daemon)
  await daemon.ask('stop')
  assert.deepEqual(await daemon.exited, { status: 0, signal: null })
  console.log('whole')
} finally {
  await scene.close()
}
