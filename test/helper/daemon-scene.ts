/**
 * What tests of the daemon share: an origin behind git daemon, clones of it that are built already, daemons that end with the
 * test file, and the proof that an origin can be had from a daemon.
 */

import assert from 'node:assert/strict'
import { cp } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { DaemonProcess, type Launch } from './daemon-process.ts'

export const isServing = ({ state }: { state: string }): boolean => state === 'serving'

/** A name and an address for commits that a test makes by hand. */
export const AUTHOR = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a' }

export class DaemonScene {
  readonly world: DemoWorld
  /** The origin, through the helper. */
  readonly url: string
  readonly #daemons: DaemonProcess[] = []
  #cloneCount = 0

  private constructor(world: DemoWorld) {
    this.world = world
    this.url = `gittorrent::${world.originUrl('origin.git')}`
  }

  static open(): Promise<DaemonScene> {
    return DemoWorld.furnished(async (world) => {
      await generateRepository(join(world.folder, 'origin.git'), { commitCount: 200, seed: 5 })
      await world.startDaemon()
      const scene = new DaemonScene(world)
      await world.git('clone', '--quiet', world.originUrl('origin.git'), 'built')
      await scene.build('built')
      return scene
    })
  }

  /** Builds in the foreground: a daemon does it at low priority, which a loaded machine never comes to. */
  async build(name: string): Promise<void> {
    await this.world.run('gittorrent', ['seed', name, '--once'])
  }

  async start(args: readonly string[], home: string, launch?: Launch): Promise<DaemonProcess> {
    const daemon = await DaemonProcess.start(this.world, args, home, launch)
    this.#daemons.push(daemon)
    return daemon
  }

  /** A clone with all its segments. */
  async builtClone(name: string): Promise<void> {
    await this.copy('built', name)
  }

  /** A copy without the pins of a clone that has ended: they vanish while it is made. */
  async copy(of: string, name: string): Promise<void> {
    const filter = (path: string): boolean => basename(path) !== 'worktrees'
    await cp(join(this.world.folder, of), join(this.world.folder, name), { recursive: true, filter })
  }

  /** The same, given to a daemon that serves it by now. */
  async keptClone(daemon: DaemonProcess, name: string): Promise<void> {
    await this.builtClone(name)
    await daemon.ask('add', name)
    await daemon.until(name, isServing)
  }

  /** A fresh clone that finds only the daemon equals the origin and had most from it. */
  async assertAvailable(daemon: DaemonProcess, environment: NodeJS.ProcessEnv = {}): Promise<void> {
    const { world, url } = this
    const name = `available-${this.#cloneCount++}`
    const clone = ['clone', '--quiet', '--bare', url, name]
    const { bytes } = await world.viaSwarm(clone, daemon.settings(), environment)
    const refs = (of: string): Promise<string> => world.git('-C', of, 'for-each-ref')
    assert.equal(await refs(name), await refs('origin.git'))
    await world.git('-C', name, 'fsck', '--full', '--no-progress')
    assert.ok(
      bytes.peers > 2 * bytes.origin,
      `${bytes.peers} from peers, ${bytes.origin} from the origin\n${daemon.said}`,
    )
  }

  async close(): Promise<void> {
    for (const daemon of this.#daemons) await daemon.end('SIGKILL')
    await this.world.close()
  }
}
