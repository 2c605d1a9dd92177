// Nets that look for nobody:
// the ground of tests in which peers are named, or found by the one way in that is tried.
import { type Net, type NetOptions, openNet } from '../../net/index.ts'

/** A free port of loopback. */
export const LOOPBACK = { host: '127.0.0.1', port: 0 } as const

/** No way in, and no port. */
export const QUIET: NetOptions = { listen: null, peers: [], trackers: [], dht: false, dhtBootstrap: [], lsd: false }

/** A net that listens on loopback and looks for nobody, but for what `options` say. */
export function openLoopbackNet(options: Partial<NetOptions> = {}): Promise<Net> {
  return openNet({ ...QUIET, listen: LOOPBACK, ...options })
}
