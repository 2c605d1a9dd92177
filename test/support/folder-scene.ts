/**
 * A generated origin, its plain clone, and a folder that was exported from it, for tests of web seeds, all on servers of this
 * process or children of it.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { type StaticServer, type StaticServerOptions, startStaticServer } from '../../bench/static-server.ts'

/** Settings that leave a clone no way to peers that it is not told of. */
export const NO_PEERS = ['gittorrent.dht=false', 'gittorrent.lsd=false']

export class FolderScene {
  readonly world: DemoWorld
  /** Of the origin, through the helper. */
  readonly url: string

  private constructor(world: DemoWorld) {
    this.world = world
    this.url = `gittorrent::${world.originUrl('origin.git')}`
  }

  /** Makes `origin.git`, `plain` and `public`. */
  static open(): Promise<FolderScene> {
    return DemoWorld.furnished(async (world) => {
      await world.git('config', '--global', 'maintenance.auto', 'false')
      await generateRepository(join(world.folder, 'origin.git'), { commitCount: 1200, seed: 21 })
      await world.startDaemon()
      await world.git('clone', '--quiet', world.originUrl('origin.git'), 'plain')
      const scene = new FolderScene(world)
      await scene.exportTo('public')
      return scene
    })
  }

  async close(): Promise<void> {
    await this.world.close()
  }

  /** @param args instead of `--origin` and the origin's URL */
  async exportTo(out: string, ...args: string[]): Promise<void> {
    const origin = ['--origin', this.world.originUrl('origin.git')]
    await this.world.run('gittorrent', ['export', 'origin.git', '--out', out, ...(args.length > 0 ? args : origin)])
  }

  async withServer<Result>(
    options: StaticServerOptions,
    use: (server: StaticServer) => Promise<Result>,
    folder = 'public',
  ): Promise<Result> {
    const server = await startStaticServer(join(this.world.folder, folder), options)
    try {
      return await use(server)
    } finally {
      await server.close()
    }
  }

  /** Clones into the directory `name` with web seeds alone. */
  cloneFrom(name: string, ...manifests: string[]) {
    const seeds = manifests.map((manifest) => `gittorrent.webseed=${manifest}`)
    return this.world.viaSwarm(['clone', '--quiet', this.url, name], [...NO_PEERS, ...seeds])
  }

  /** The clone has the refs and objects of the plain one, all sound. */
  async assertEqualToPlain(directory: string): Promise<void> {
    const { world } = this
    const refs = (of: string): Promise<string> => world.git('-C', of, 'for-each-ref')
    assert.equal(await refs(directory), await refs('plain'))
    const objects = async (of: string): Promise<string[]> =>
      (await world.git('-C', of, 'rev-list', '--objects', '--no-object-names', '--all')).split('\n').sort()
    assert.deepEqual(await objects(directory), await objects('plain'))
    await world.git('-C', directory, 'fsck', '--full', '--no-progress')
  }
}
