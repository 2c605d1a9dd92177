/**
 * Which ways in an origin may use. Static peers are the user's own word. Everything public (the public DHT, a tracker on
 * a public host) is used only for an origin that strangers can reach anyway: a look-up already tells that somebody here
 * works with it. A DHT or tracker on private addresses is the user's own network and always allowed. The network that he
 * happens to be in need not be his own: for private origins it is asked only if he said so. With a secret every origin counts as
 * private, but trackers may be anywhere: they are the user's word, and cannot tell what is meant. What is published under a key is for everybody, so the secret is not used there.
 */

import { classOfHost, type NetMemory, type NetOptions, PUBLIC_DHT_BOOTSTRAP, trackerHost } from '../../net/index.ts'
import type { HostPort, Settings } from '../config.ts'
import { isPublicOrigin } from '../public-origin.ts'
import type { Trace } from '../trace.ts'
import type { Origin } from '../url.ts'
import { openNetMemory } from './net-memory.ts'
import { readSecretFile, secretFileFor } from './secret-file.ts'

/** Any port of all addresses, IPv6 and IPv4. */
export const ANY_PORT: HostPort = { host: '::', port: 0 }

/**
 * Where a clone or fetch listens while it lasts: a crowd that starts together can only share what its members can be asked for.
 * The port is told to nobody but the peers of the topic, who gossip it; what is served is what is being downloaded.
 */
export function passingListen({ listen, isListenAllowed }: Settings): HostPort | null {
  return listen ?? (isListenAllowed ? ANY_PORT : null)
}

/** Options of the net for one origin. @throws HelperError 'key-unusable', 'setting-malformed' */
export function netOptionsFor(origin: Origin, settings: Settings, listen: HostPort | null, trace: Trace): NetOptions {
  const secretFile = secretFileFor(origin, settings)
  return (
    secretOptions(secretFile, settings, listen, trace) ?? optionsWith(isPublicOrigin(origin), settings, listen, trace)
  )
}

/** Options of the net for what somebody published under a key: it is public because its publisher says so. */
export function publicNetOptions(settings: Settings, listen: HostPort | null, trace: Trace): NetOptions {
  return optionsWith(true, settings, listen, trace)
}

/** The same for a net that lasts for one task only. */
export function passing(options: NetOptions): NetOptions {
  return { ...options, isPassing: true }
}

function optionsWith(mayBePublic: boolean, settings: Settings, listen: HostPort | null, trace: Trace): NetOptions {
  const isAllowed = (host: string): boolean => mayBePublic || classOfHost(host) !== 'public'
  const bootstrap = settings.dhtBootstrap ?? (mayBePublic ? PUBLIC_DHT_BOOTSTRAP : [])
  const dhtBootstrap = bootstrap.filter(({ host }) => isAllowed(host))
  return {
    listen,
    peers: settings.peers,
    trackers: settings.trackers.filter((url) => isAllowed(trackerHost(url))),
    dht: settings.dht && dhtBootstrap.length > 0,
    dhtBootstrap,
    lsd: settings.lsd && (mayBePublic || settings.isLsdAsked),
    gossip: settings.gossip,
    memory: memoryOf(settings),
    uploadLimit: settings.uploadLimit ?? undefined,
    downloadLimit: settings.downloadLimit ?? undefined,
    trace: (line) => trace(() => line),
  }
}

/**
 * Options of the net that serves origins of all kinds, those of one secret or those without; each topic then says who may hear of it.
 * @throws HelperError 'key-unusable'
 */
export function daemonNetOptions(settings: Settings, secretFile: string | null, trace: Trace): NetOptions {
  const listen = settings.listen ?? ANY_PORT
  const shared = secretOptions(secretFile, settings, listen, trace)
  if (shared !== null) return shared
  return { ...optionsWith(true, settings, listen, trace), isLsdTrusted: settings.isLsdAsked }
}

/** Options of a net for those who share the secret; null where none is shared. */
function secretOptions(
  secretFile: string | null,
  settings: Settings,
  listen: HostPort | null,
  trace: Trace,
): NetOptions | null {
  const { trackers, isLsdAsked } = settings
  if (secretFile === null) return null
  const secret = readSecretFile(secretFile)
  return { ...optionsWith(false, settings, listen, trace), trackers, isLsdTrusted: isLsdAsked, secret }
}

function memoryOf({ peerMemory }: Settings): NetMemory | undefined {
  return peerMemory === null ? undefined : openNetMemory(peerMemory)
}

/** True if nobody can be found with these options, so that nothing needs to be opened. */
export function hasNoWayIn({ peers, trackers, dht, lsd, memory }: NetOptions): boolean {
  return peers.length === 0 && trackers.length === 0 && !dht && !lsd && (memory?.known.isEmpty ?? true)
}
