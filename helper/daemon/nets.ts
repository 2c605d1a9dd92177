/**
 * The nets of a daemon: the usual one, and one for each further secret that `gittorrent.<url>.secretFile` names, because connections
 * and names of topics differ by secret. All are behind one port and one pair of limits.
 * All secrets are read at the start: a daemon that cannot keep one to itself does not run.
 */

import { type Gates, type Net, openNets } from '../../net/index.ts'
import type { Settings } from '../config.ts'
import { secretFileFor, secretFilesOf } from '../share/secret-file.ts'
import { daemonNetOptions } from '../share/ways-in.ts'
import type { Trace } from '../trace.ts'
import type { Origin } from '../url.ts'
import { SharedTopics } from './shared-topic.ts'

export interface DaemonNet {
  /** File with the secret of all who are on it; null: anybody. */
  readonly secretFile: string | null
  readonly net: Net
  readonly topics: SharedTopics
}

export class DaemonNets {
  readonly #settings: Settings
  readonly #main: DaemonNet
  readonly #others: readonly DaemonNet[]

  private constructor(settings: Settings, main: DaemonNet, others: readonly DaemonNet[]) {
    this.#settings = settings
    this.#main = main
    this.#others = others
  }

  /** @throws HelperError 'key-unusable', 'setting-malformed'; NetError 'listen-failed' */
  static async open(
    settings: Settings,
    gates: Gates,
    dhtItemAgeMsMax: number | undefined,
    trace: Trace,
  ): Promise<DaemonNets> {
    const secretFiles = secretFilesOf(settings)
    const options = secretFiles.map((secretFile) => daemonNetOptions(settings, secretFile, trace))
    const nets = await openNets(options.map((each) => ({ ...each, gates, dhtItemAgeMsMax })))
    const [main, ...others] = nets.map((net, index) => {
      return { secretFile: secretFiles[index] ?? null, net, topics: new SharedTopics(net) }
    })
    if (main === undefined) throw new Error('secretFilesOf names at least one')
    return new DaemonNets(settings, main, others)
  }

  /** The usual one. */
  get main(): Net {
    return this.#main.net
  }

  /** The one on which an origin's repository is served. */
  of(origin: Origin): DaemonNet {
    const wanted = secretFileFor(origin, this.#settings)
    return this.#others.find(({ secretFile }) => secretFile === wanted) ?? this.#main
  }

  announceAgain(): void {
    for (const { topics } of [this.#main, ...this.#others]) topics.announceAgain()
  }

  async close(): Promise<void> {
    await Promise.all([this.#main, ...this.#others].map(({ net }) => net.close()))
  }
}
