/**
 * The origin of a test world over every transport that git has, and the comparison of clones made through each.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { git } from '../support/git.ts'
import { startDumbHttp, startGitDaemon, startSmartHttp, type TestOrigin, writeFakeSsh } from './origin.ts'
import { objectsOf, type RemoteWorld, refsOf } from './remote-world.ts'

export type Transport = 'file' | 'path' | 'ssh' | 'git' | 'http' | 'dumb'

/** Gives the URL of the world's origin over `transport` and the environment that it needs. */
export async function withTransport(
  world: RemoteWorld,
  transport: Transport,
  use: (url: string, environment: Record<string, string>, served: TestOrigin | null) => Promise<void>,
): Promise<void> {
  const root = join(world.directory, 'origins')
  if (transport === 'file') return use(`file://${world.origin}`, {}, null)
  if (transport === 'path') return use(world.origin, {}, null)
  if (transport === 'ssh') {
    const ssh = await writeFakeSsh(world.directory)
    return use(`tester@host.example:${world.origin}`, { GIT_SSH_COMMAND: ssh, GIT_SSH_VARIANT: 'ssh' }, null)
  }
  if (transport === 'dumb') await git(['update-server-info'], { directory: world.origin })
  const start = { git: startGitDaemon, http: startSmartHttp, dumb: startDumbHttp }[transport]
  const served = await start(root)
  try {
    await use(`${served.url}/origin.git`, {}, served)
  } finally {
    await served.close()
  }
}

/** Asserts that two clones have the same refs and objects, and that git fsck likes ours. */
export async function compareClones(world: RemoteWorld, ours: string, plain: string): Promise<void> {
  const [our, their] = [join(world.directory, ours), join(world.directory, plain)]
  assert.equal(await refsOf(our), await refsOf(their))
  assert.equal(await objectsOf(our), await objectsOf(their))
  await git(['fsck', '--strict'], { directory: our })
}

/** Returns a commit of the origin's main line, counted from its end when negative. */
export function commitAt(world: RemoteWorld, index: number): string {
  return world.mainLine.at(index) ?? assert.fail('no such commit')
}
