/**
 * May an origin be looked up in public (DHT, public trackers, multicast)? A topic is a hash of a guessable URL, so even
 * a look-up tells strangers that somebody here uses it. This judges the URL alone, without a name look-up; whether the
 * origin answers an anonymous request is for whoever announces to find out.
 */
import { classOfHost } from '../net/index.ts'
import { canonicalHost } from './topic-name.ts'
import type { Origin } from './url.ts'

/** Tells whether `origin` may use public ways in: https, http or git, no user part, a public host name or address. */
export function isPublicOrigin(origin: Origin): boolean {
  if (origin.scheme === 'ssh' || origin.scheme === 'file' || origin.user !== null) return false
  if (/[?&](access_token|private_token|token|password|key)=/i.test(origin.path)) return false
  return isPublicHost(origin.host)
}

/** Tells whether a host name or address literal (IPv6 without brackets) can be meant for everybody. */
export function isPublicHost(host: string): boolean {
  return classOfHost(canonicalHost(host).replace(/^\[|\]$/g, '')) === 'public'
}

/** Whether what an origin names (web seeds, mirrors) has to be public: one on the network at large may not point into the user's own. */
export function namesPublicOnly({ scheme, host }: Origin): boolean {
  return scheme !== 'file' && isPublicHost(host)
}
