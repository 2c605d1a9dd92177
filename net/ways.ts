/**
 * Ways in: how addresses of a topic's peers are found. All run at once; each reports when it has nothing more to say.
 * A way in also says of which address class its source is, so that strangers in public cannot point at private hosts.
 * Local service discovery is in lsd.ts.
 */
import { type Address, type AddressClass, classOfHost, mayHearOf } from './address.ts'
import type { Dht } from './dht.ts'
import { NetError } from './errors.ts'
import type { KnownPeers } from './known-peers.ts'
import { TRACKER_CLOSE_TIMEOUT_MS } from './limits.ts'
import { announceToTracker, trackerHost } from './tracker.ts'

export interface FindOptions {
  readonly infohash: Uint8Array
  /** TCP port to announce, null to look only. */
  readonly announcePort: number | null
  readonly seeding: boolean
  readonly onAddress: (address: Address, source: AddressClass) => void
  readonly signal: AbortSignal
}

export interface WayIn {
  readonly name: string
  /** Who hears of what is looked up or announced here. */
  readonly reach: AddressClass
  /** Resolves when this way has nothing more to say for now; rejects with NetError when it does not work. */
  find(options: FindOptions): Promise<void>
  /** Takes an announcement back, as far as the way in knows such a thing. */
  leave(infohash: Uint8Array): Promise<void>
}

/** Addresses that the user has named; they are trusted to be of any class. */
export function staticWay(peers: readonly Address[]): WayIn {
  return {
    name: 'static',
    reach: 'loopback',
    find: async ({ onAddress }) => {
      for (const peer of peers) onAddress(peer, 'loopback')
    },
    leave: async () => {},
  }
}

/** Peers that worked in earlier runs; whoever put them there had them from another way in. */
export function rememberedWay(known: KnownPeers): WayIn {
  return {
    name: 'remembered',
    reach: 'loopback',
    find: async ({ infohash, onAddress }) => {
      for (const peer of known.peersOf(infohash)) onAddress(peer, 'loopback')
    },
    leave: async () => {},
  }
}

/**
 * One tracker.
 * @param ownClass class of the address that we listen on; a private one is not announced to a public tracker
 * @param isTrusted the tracker is the user's own, whatever its address: it may hear of private addresses and name some
 */
export function trackerWay(url: string, peerId: Uint8Array, ownClass: AddressClass, isTrusted: boolean): WayIn {
  const hostClass = classOfHost(trackerHost(url))
  const trackerClass = isTrusted && hostClass === 'public' ? 'private' : hostClass
  const mayAnnounce = mayHearOf(trackerClass, ownClass)
  /** Ports, by infohash. */
  const announced = new Map<string, number | null>()
  return {
    name: `tracker ${url}`,
    reach: trackerClass,
    find: async ({ infohash, announcePort, seeding, onAddress, signal }) => {
      const port = mayAnnounce ? announcePort : null
      const key = Buffer.from(infohash).toString('hex')
      const event = announced.has(key) ? null : 'started'
      announced.set(key, port)
      const peers = await announceToTracker(url, { infohash, peerId, port, event, seeding, signal })
      for (const peer of peers) onAddress(peer, trackerClass)
    },
    leave: async (infohash) => {
      const key = Buffer.from(infohash).toString('hex')
      const port = announced.get(key)
      if (port === undefined) return
      announced.delete(key)
      const signal = AbortSignal.timeout(TRACKER_CLOSE_TIMEOUT_MS)
      // Trackers tell peers apart by their ports.
      await announceToTracker(url, { infohash, peerId, port, event: 'stopped', seeding: false, signal })
    },
  }
}

/** Our DHT node, opened on first use. */
export function dhtWay(open: () => Promise<Dht>, dhtClass: AddressClass, ownClass: AddressClass): WayIn {
  const mayAnnounce = mayHearOf(dhtClass, ownClass)
  return {
    name: 'dht',
    reach: dhtClass,
    find: async ({ infohash, announcePort, onAddress, signal }) => {
      const dht = await open()
      const onPeer = (peer: Address, from: Address | null): void => {
        onAddress(peer, from === null ? dhtClass : classOfHost(from.host))
      }
      await dht.lookup(infohash, onPeer, signal)
      if (signal.aborted || announcePort === null || !mayAnnounce) return
      if (!(await dht.announce(infohash, announcePort)))
        throw new NetError('peer-gone', 'dht: no node took the announcement')
    },
    leave: async () => {},
  }
}
