/**
 * The web seeds of one conversation: their manifests are fetched at the same time, while peers are looked for, and those that
 * cannot be used drop out with a line in the trace. What remains is in the user's order, but who is slow keeps nobody from using the others.
 */

import { createCheckpointRule, GT1 } from '../../../engine/index.ts'
import { HelperError, messageOf } from '../../errors.ts'
import type { Manifest } from '../../export/manifest.ts'
import { keyId } from '../../keys/key-store.ts'
import { SOURCE_WAIT_MS, WEBSEED_COUNT_MAX } from '../../limits.ts'
import type { SupplyRequest } from '../../remote/supply.ts'
import { type Trace, withoutPassword } from '../../trace.ts'
import { type DownloadGate, WebConnections } from './http-get.ts'
import { type ManifestCache, NO_MANIFEST_CACHE, openManifestCache } from './manifest-cache.ts'
import { type FetchedManifest, fetchManifest, readWebSeed, type WebSeed, type WebSeedLocation } from './web-seed.ts'

export interface WebSeeds {
  readonly connections: WebConnections
  /** What each manifest that is named turns out to be, in the user's order: null for one that is not of this repository; never rejects. */
  readonly each: readonly Promise<WebSeed | null>[]
  /** Web seeds that failed in this conversation; not asked again. */
  readonly failed: Set<WebSeed>
  /** Some are found by now that have not failed. */
  isUsable(): boolean
  /** Those that have not failed, one after the other as they are found; nobody waits for the last of them past SOURCE_WAIT_MS. */
  inTurn(): AsyncGenerator<WebSeed>
}

/** Terms of the user. */
export interface WebSeedTerms {
  /** Public keys or their ids, of which one must have signed each manifest; any manifest will do where it is empty. */
  readonly keys: readonly string[]
  /** Tells the user one line. */
  readonly warn: (text: string) => void
}

/** Fetches manifests, each once, however early. */
export class ManifestReader {
  readonly connections: WebConnections
  readonly #cache: ManifestCache
  readonly #fetched = new Map<string, Promise<FetchedManifest>>()

  /** `folder` is where manifests are kept between runs; null if nowhere. `gate` is for all that comes over the connections. */
  constructor(folder: string | null, gate?: DownloadGate) {
    this.connections = new WebConnections(gate)
    this.#cache = folder === null ? NO_MANIFEST_CACHE : openManifestCache(folder)
  }

  /** @throws as fetchManifest does */
  fetch(location: WebSeedLocation, signal: AbortSignal): Promise<FetchedManifest> {
    const fetched = this.#fetched.get(location.url) ?? fetchManifest(location, this.connections, this.#cache, signal)
    this.#fetched.set(location.url, fetched)
    fetched.catch(() => {})
    return fetched
  }

  close(): void {
    this.connections.close()
  }
}

/** Starts to fetch the manifests of some web seeds. `topic` is the origin's, hex. */
export function openWebSeeds(
  locations: readonly WebSeedLocation[],
  topic: string,
  request: SupplyRequest,
  reader: ManifestReader,
  trace: Trace,
  terms: WebSeedTerms,
): WebSeeds {
  const { connections } = reader
  const { signal } = request
  const read = async (location: WebSeedLocation): Promise<WebSeed | null> => {
    try {
      const fetched = await reader.fetch(location, signal)
      requireSigner(fetched.manifest, terms.keys)
      if (location.isVouchedFor || isOf(fetched.manifest, topic, request))
        return await readWebSeed(location, fetched, request, await createCheckpointRule(GT1), connections)
      trace(() => `web seed ${location.url}: it does not say that it is of this origin`)
    } catch (error) {
      if (error instanceof HelperError && error.code === 'unsigned')
        terms.warn(`web seed ${withoutPassword(location.url)} is not used: ${messageOf(error)}`)
      trace(() => messageOf(error))
    }
    return null
  }
  return { connections, ...followReading(locations.slice(0, WEBSEED_COUNT_MAX).map(read)) }
}

/** What is known of web seeds while their manifests are read. */
export function followReading(each: WebSeeds['each']): Omit<WebSeeds, 'connections'> {
  const failed = new Set<WebSeed>()
  const found: (WebSeed | null)[] = each.map(() => null)
  const open = new Set<Promise<void>>()
  for (const [index, read] of each.entries()) {
    const noted = read.then((seed) => {
      found[index] = seed
      open.delete(noted)
    })
    open.add(noted)
  }
  let isTimeUp = false
  const timeUp = new Promise<void>((resolve) => {
    const end = (): void => {
      isTimeUp = true
      resolve()
    }
    setTimeout(end, SOURCE_WAIT_MS).unref()
  })
  const usable = (): WebSeed[] => found.flatMap((seed) => (seed === null || failed.has(seed) ? [] : seed))
  async function* inTurn(): AsyncGenerator<WebSeed> {
    const given = new Set<WebSeed>()
    for (;;) {
      const seed = usable().find((one) => !given.has(one))
      if (seed === undefined && (open.size === 0 || isTimeUp)) return
      if (seed === undefined) await Promise.race([...open, timeUp])
      else {
        given.add(seed)
        yield seed
      }
    }
  }
  return { each, failed, isUsable: () => usable().length > 0, inTurn }
}

/** @throws HelperError 'unsigned' unless one of `keys` signed; where there are none, anybody may have, or nobody */
export function requireSigner({ key }: Pick<Manifest, 'key'>, keys: readonly string[]): void {
  const isAllowed = key !== null && (keys.includes(key) || keys.includes(keyId(Buffer.from(key, 'hex'))))
  if (keys.length === 0 || isAllowed) return
  const got = key === null ? 'none' : `one of ${key}`
  throw new HelperError('unsigned', `manifest: expected a signature of a key in gittorrent.webseedKey, got ${got}`)
}

/** One setting may serve many repositories, so a folder has to show that it belongs to this one. */
function isOf(
  { topic: own, chains }: Manifest,
  topic: string,
  { refs, wants }: Pick<SupplyRequest, 'refs' | 'wants'>,
): boolean {
  if (own === topic) return true
  const wanted = new Set(wants)
  return chains.some(({ ref, tip }) => refs.get(ref) === tip && wanted.has(tip))
}
