/**
 * Which ways in an origin may use. Static peers are the user's own word. Everything public (the public DHT, a tracker on
 * a public host) is used only for an origin that strangers can reach anyway: a look-up already tells that somebody here
 * works with it. A DHT or tracker on private addresses is the user's own network and always allowed. The network that he
 * happens to be in need not be his own: for private origins it is asked only if he said so.
 */

import { classOfHost, type NetMemory, type NetOptions, PUBLIC_DHT_BOOTSTRAP } from '../../net/index.ts'
import type { HostPort, Settings } from '../config.ts'
import { isPublicOrigin } from '../public-origin.ts'
import type { Trace } from '../trace.ts'
import type { Origin } from '../url.ts'
import { openNetMemory } from './net-memory.ts'

const ANY_PORT: HostPort = { host: '0.0.0.0', port: 0 }

/** Options of the net for one origin. */
export function netOptionsFor(origin: Origin, settings: Settings, listen: HostPort | null, trace: Trace): NetOptions {
  return optionsWith(isPublicOrigin(origin), settings, listen, trace)
}

/** Options of the net for what somebody published under a key: it is public because its publisher says so. */
export function publicNetOptions(settings: Settings, listen: HostPort | null, trace: Trace): NetOptions {
  return optionsWith(true, settings, listen, trace)
}

function optionsWith(mayBePublic: boolean, settings: Settings, listen: HostPort | null, trace: Trace): NetOptions {
  const isAllowed = (host: string): boolean => mayBePublic || classOfHost(host) !== 'public'
  const bootstrap = settings.dhtBootstrap ?? (mayBePublic ? PUBLIC_DHT_BOOTSTRAP : [])
  const dhtBootstrap = bootstrap.filter(({ host }) => isAllowed(host))
  return {
    listen,
    peers: settings.peers,
    trackers: settings.trackers.filter((url) => isAllowed(new URL(url).hostname)),
    dht: settings.dht && dhtBootstrap.length > 0,
    dhtBootstrap,
    lsd: settings.lsd && (mayBePublic || settings.isLsdAsked),
    memory: memoryOf(settings),
    uploadLimit: settings.uploadLimit ?? undefined,
    downloadLimit: settings.downloadLimit ?? undefined,
    trace: (line) => trace(() => line),
  }
}

/** Options of the net that serves origins of all kinds; each topic then says who may hear of it. */
export function daemonNetOptions(settings: Settings, trace: Trace): NetOptions {
  const dhtBootstrap = settings.dhtBootstrap ?? PUBLIC_DHT_BOOTSTRAP
  return {
    listen: settings.listen ?? ANY_PORT,
    peers: settings.peers,
    trackers: settings.trackers,
    dht: settings.dht && dhtBootstrap.length > 0,
    dhtBootstrap,
    lsd: settings.lsd,
    isLsdTrusted: settings.isLsdAsked,
    memory: memoryOf(settings),
    uploadLimit: settings.uploadLimit ?? undefined,
    downloadLimit: settings.downloadLimit ?? undefined,
    trace: (line) => trace(() => line),
  }
}

function memoryOf({ peerMemory }: Settings): NetMemory | undefined {
  return peerMemory === null ? undefined : openNetMemory(peerMemory)
}

/** True if nobody can be found with these options, so that nothing needs to be opened. */
export function hasNoWayIn({ peers, trackers, dht, lsd, memory }: NetOptions): boolean {
  return peers.length === 0 && trackers.length === 0 && !dht && !lsd && (memory?.known.isEmpty ?? true)
}
