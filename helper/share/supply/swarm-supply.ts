/**
 * The supply behind the relay: finds peers on the origin's topic and web seeds, asks for chains, takes the links that are
 * lacking, lets git index them in quarantine, and reports the commits that are complete by then. Every failure means only
 * that more comes from the origin.
 */

import { Gates, type Net, openNet, Refusal, type Topic } from '../../../net/index.ts'
import { messageOf } from '../../errors.ts'
import { commonDirOf } from '../../git/repository.ts'
import { WEBSEED_COUNT_MAX } from '../../limits.ts'
import { namesPublicOnly } from '../../public-origin.ts'
import {
  NOTHING_SUPPLIED,
  type Supply,
  type SupplyContext,
  type SupplyRequest,
  type SupplyResult,
} from '../../remote/supply.ts'
import { topicOf } from '../topic.ts'
import { hasNoWayIn, netOptionsFor, passing, passingListen } from '../ways-in.ts'
import type { WebSeedLocation } from '../webseed/web-seed.ts'
import { ManifestReader, openWebSeeds } from '../webseed/web-seeds.ts'
import { BesideOrigin } from './beside-origin.ts'
import { followClaims } from './follow-claims.ts'
import { fsckWanted } from './fsck.ts'
import { rememberSegments } from './kept-line.ts'
import type { Intake } from './line-intake.ts'
import { bringSnapshot } from './snapshot-supply.ts'

/** Opens the supply of one conversation; costs nothing when nobody can be found. */
export async function openSwarmSupply(context: SupplyContext): Promise<Supply> {
  const { origin, settings, trace, signal } = context
  const gates = new Gates(settings)
  const reader = new ManifestReader(settings.manifestFolder, gates.down)
  const own = settings.webseeds.map((url) => ({ url, mustBePublic: false, isVouchedFor: false }))
  for (const location of own.slice(0, WEBSEED_COUNT_MAX)) reader.fetch(location, signal)
  const options = passing(netOptionsFor(origin, settings, passingListen(settings), trace))
  const net = hasNoWayIn(options) ? null : await openNet({ ...options, gates })
  const topicHash = topicOf(origin)
  const refuse = (): Promise<Uint8Array> => Promise.reject(new Refusal('unknown-kind'))
  const topic = net?.joinTopic(topicHash, { onRequest: refuse }, { announce: false }) ?? null
  const supply = new SwarmSupply(net, topic, { topicHash, own, reader }, context)
  const close = (): Promise<void> => supply.close().finally(() => gates.close())
  return { bring: (request) => supply.bring(request), close }
}

/** A supply on a net and a topic that are open already and stay so. */
export function swarmSupplyOn(net: Net, topic: Topic, context: SupplyContext): Pick<Supply, 'bring'> {
  const none = { topicHash: new Uint8Array(0), own: [], reader: new ManifestReader(null) }
  const supply = new SwarmSupply(net, topic, none, context)
  return { bring: (request) => supply.bring(request).finally(() => supply.settled) }
}

/** Which web seeds the user names, and the topic that their manifests have to name. */
interface WebSeedPlan {
  readonly topicHash: Uint8Array
  readonly own: readonly WebSeedLocation[]
  readonly reader: ManifestReader
}

class SwarmSupply implements Supply {
  readonly #net: Net | null
  readonly #topic: Topic | null
  readonly #webSeeds: WebSeedPlan
  readonly #context: SupplyContext
  /** Resolves when everything that was brought is remembered. */
  settled: Promise<void> = Promise.resolve()

  constructor(net: Net | null, topic: Topic | null, webSeeds: WebSeedPlan, context: SupplyContext) {
    this.#net = net
    this.#topic = topic
    this.#webSeeds = webSeeds
    this.#context = context
  }

  async bring(request: SupplyRequest): Promise<SupplyResult> {
    const { settings, trace, config, warn } = this.#context
    const { topicHash, reader } = this.#webSeeds
    const locations = this.#locationsFor(request)
    if (this.#net === null && locations.length === 0) {
      trace(() => 'no way in: everything comes from the origin')
      return NOTHING_SUPPLIED
    }
    request.progress.update('Looking for peers', '')
    const topicHex = Buffer.from(topicHash).toString('hex')
    const webSeeds = openWebSeeds(locations, topicHex, request, reader, trace, { keys: settings.webseedKeys, warn })
    try {
      const gitDir = await commonDirOf(request.gitDir)
      const ports = { net: this.#net, topic: this.#topic, webSeeds, gitDir }
      if (request.isShallow) {
        const besideOrigin = new BesideOrigin(request, settings.downloadLimit, trace)
        const { peerMemory } = settings
        return await bringSnapshot(request, {
          ...ports,
          fsckObjects: fsckWanted(config),
          peerMemory,
          besideOrigin,
          trace,
        })
      }
      const remember = (intakes: readonly (Intake | null)[]): void => this.#remember(intakes, gitDir)
      return await followClaims(request, { ...ports, context: this.#context, remember })
    } finally {
      reader.close()
    }
  }

  /** The user's own, then those that the origin names. */
  #locationsFor({ mirrors = [] }: SupplyRequest): readonly WebSeedLocation[] {
    const { origin, settings } = this.#context
    const mustBePublic = namesPublicOnly(origin)
    const named = mirrors.filter((url) => !settings.webseeds.includes(url))
    return [...this.#webSeeds.own, ...named.map((url) => ({ url, mustBePublic, isVouchedFor: true }))]
  }

  async close(): Promise<void> {
    this.#webSeeds.reader.close()
    await this.settled
    await this.#topic?.close()
    await this.#net?.close()
  }

  /** Not waited for by whoever asked for objects: the origin can be asked meanwhile. */
  #remember(intakes: readonly (Intake | null)[], gitDir: string): void {
    const { trace } = this.#context
    const remember = async (): Promise<void> => {
      await this.settled
      await rememberSegments(intakes, gitDir).catch((error: unknown) => trace(() => messageOf(error)))
    }
    this.settled = remember()
  }
}
