/**
 * Ports: the one on which peers reach us, the daemon's tracker, and whether IPv6 can be used at all.
 */
import { createSocket } from 'node:dgram'
import { connect, createServer } from 'node:net'
import { formatAddress, isAnyHost, parseAddress, probeTracker } from '../../net/index.ts'
import type { HostPort, Settings } from '../config.ts'
import { messageOf } from '../errors.ts'
import { DOCTOR_CONNECT_TIMEOUT_MS } from '../limits.ts'
import { ANY_PORT } from '../share/ways-in.ts'
import { withoutPassword } from '../trace.ts'
import { type Finding, finding } from './finding.ts'

/** What a running daemon says of itself. */
export interface RunningDaemon {
  /** Where peers reach it; null if nowhere. */
  readonly address: string | null
  /** URL of its own tracker, null if it has none. */
  readonly trackerUrl: string | null
}

/** @param daemon null if none runs */
export async function portFindings(
  settings: Settings,
  trackerListen: HostPort | null,
  daemon: RunningDaemon | null,
): Promise<Finding[]> {
  const hasIPv6 = (await bindFailure({ host: '::1', port: 0 })) === null
  const port = daemon?.address == null ? wantedPort(settings, hasIPv6) : daemonPort(daemon.address)
  const tracker = daemon === null ? wantedTracker(trackerListen) : runningTracker(daemon.trackerUrl)
  return [await port, ipv6Finding(hasIPv6), await tracker]
}

/** How one's own machine is dialled where all of its addresses are listened on. */
function dialable({ host, port }: HostPort): HostPort {
  return { host: isAnyHost(host) ? '127.0.0.1' : host, port }
}

async function daemonPort(address: string): Promise<Finding> {
  if (await takesConnections(dialable(parseAddress(address))))
    return finding('port', 'ok', `the daemon takes connections on ${address}`)
  return finding('port', 'failure', `the daemon takes no connections on ${address}`, 'to restart it')
}

async function wantedPort({ listen, isListenAllowed }: Settings, hasIPv6: boolean): Promise<Finding> {
  if (!isListenAllowed) return finding('port', 'ok', 'a clone or fetch takes no connections (gittorrent.listen=none)')
  const address = listen ?? (hasIPv6 ? ANY_PORT : { host: '0.0.0.0', port: 0 })
  const shown = listen === null ? 'any port' : formatAddress(listen)
  // The DHT is on IPv4.
  const failure = await bindFailure(address, address.host.includes(':') ? '0.0.0.0' : address.host)
  if (failure === null)
    return finding('port', 'ok', `${shown} can be opened; peers outside need a way through your router`)
  return finding('port', 'failure', `${shown} cannot be opened (${failure})`, 'another gittorrent.listen')
}

function ipv6Finding(hasIPv6: boolean): Finding {
  if (!hasIPv6) return finding('ipv6', 'ok', 'not available: peers and trackers are reached by IPv4 alone')
  return finding(
    'ipv6',
    'ok',
    'TCP and UDP, for peers and trackers; the DHT and the local network are asked by IPv4 alone',
  )
}

async function wantedTracker(trackerListen: HostPort | null): Promise<Finding> {
  if (trackerListen === null) return finding('own tracker', 'ok', 'none')
  const shown = formatAddress(trackerListen)
  const failure = await bindFailure(trackerListen)
  if (failure === null) return finding('own tracker', 'ok', `${shown} can be opened by the daemon, which does not run`)
  return finding('own tracker', 'failure', `${shown} cannot be opened (${failure})`, 'another gittorrent.trackerListen')
}

async function runningTracker(url: string | null): Promise<Finding> {
  if (url === null) return finding('own tracker', 'ok', 'none')
  const { hostname, port } = new URL(url)
  const { host } = dialable({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) })
  const failure = await probeTracker(`http://${formatAddress({ host, port: Number(port) })}/announce`)
  if (failure === null) return finding('own tracker', 'ok', `answers at ${url}`)
  return finding('own tracker', 'failure', `does not answer at ${url} (${withoutPassword(failure)})`, 'to restart it')
}

function takesConnections({ host, port }: HostPort): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    const settle = (isTaken: boolean): void => {
      socket.destroy()
      resolve(isTaken)
    }
    socket.setTimeout(DOCTOR_CONNECT_TIMEOUT_MS, () => settle(false))
    socket.once('connect', () => settle(true))
    socket.once('error', () => settle(false))
  })
}

/** Null when the port can be opened, by TCP and by UDP, else why not. */
async function bindFailure(address: HostPort, udpHost: string = address.host): Promise<string | null> {
  return (await bindTcp(address)) ?? (await bindUdp({ host: udpHost, port: address.port }))
}

function bindTcp({ host, port }: HostPort): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? messageOf(error)))
    server.listen({ host, port }, () => server.close(() => resolve(null)))
  })
}

function bindUdp({ host, port }: HostPort): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(`UDP ${error.code ?? messageOf(error)}`))
    socket.bind(port, host, () => socket.close(() => resolve(null)))
  })
}
