/**
 * Ways in, tried as far as that tells nobody anything: is the listening port free, do static peers and http trackers take a
 * connection. The public DHT is not asked.
 */
import { createSocket } from 'node:dgram'
import { connect, createServer } from 'node:net'
import { formatAddress, lsdInterfaces } from '../../net/index.ts'
import type { HostPort, Settings } from '../config.ts'
import { DOCTOR_CONNECT_TIMEOUT_MS } from '../limits.ts'
import { type Finding, finding } from './finding.ts'

/** @param daemonAddress where the daemon listens, null if none runs */
export async function wayFindings(settings: Settings, daemonAddress: string | null): Promise<Finding[]> {
  const found = [await listenFinding(settings.listen, daemonAddress)]
  for (const peer of settings.peers) found.push(await peerFinding(peer))
  for (const url of settings.trackers) found.push(await trackerFinding(url))
  if (settings.lsd) found.push(lsdFinding(settings))
  if (settings.dht) {
    const nodes = settings.dhtBootstrap?.length ?? 'the usual'
    found.push(finding('dht', 'ok', `on, starts from ${nodes} nodes; used for public origins only`))
  } else if (settings.peers.length === 0 && settings.trackers.length === 0 && !settings.lsd) {
    const advice = 'gittorrent.peer, gittorrent.tracker, or gittorrent.dht'
    found.push(finding('ways in', 'warning', 'none is configured: everything comes from the origin', advice))
  }
  return found
}

async function listenFinding(listen: HostPort | null, daemonAddress: string | null): Promise<Finding> {
  const address = listen ?? { host: '127.0.0.1', port: 0 }
  const shown = listen === null ? 'any port' : formatAddress(listen)
  if (daemonAddress !== null) {
    const port = Number(/:(\d+)$/.exec(daemonAddress)?.[1] ?? 0)
    const host = daemonAddress.startsWith('0.0.0.0:')
      ? '127.0.0.1'
      : daemonAddress.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
    if (port !== 0 && (await takesConnections({ host, port })))
      return finding('port', 'ok', `the daemon takes connections on ${daemonAddress}`)
    return finding('port', 'failure', `the daemon takes no connections on ${daemonAddress}`, 'to restart it')
  }
  const failure = (await bindTcp(address)) ?? (settledUdp(address) ? await bindUdp(address) : null)
  if (failure === null)
    return finding('port', 'ok', `${shown} can be opened; peers outside need a way through your router`)
  return finding('port', 'failure', `${shown} cannot be opened (${failure})`, 'another gittorrent.listen')
}

/** The DHT speaks UDP over IPv4 only. */
function settledUdp({ host }: HostPort): boolean {
  return !host.includes(':')
}

function lsdFinding({ listen, isLsdAsked }: Settings): Finding {
  const interfaces = lsdInterfaces(listen?.host ?? null)
  const scope = isLsdAsked ? 'for all origins' : 'for public origins only'
  if (interfaces.length > 0) return finding('local network', 'ok', `asked on ${interfaces.join(', ')}, ${scope}`)
  return finding('local network', 'ok', 'not asked: no interface has a private address')
}

async function peerFinding(peer: HostPort): Promise<Finding> {
  const shown = formatAddress(peer)
  if (await takesConnections(peer)) return finding('peer', 'ok', `${shown} takes connections`)
  return finding('peer', 'warning', `${shown} takes no connections`, 'to start it, or to drop it from gittorrent.peer')
}

async function trackerFinding(url: string): Promise<Finding> {
  const { protocol, hostname, port } = new URL(url)
  if (protocol !== 'http:' && protocol !== 'https:') return finding('tracker', 'ok', `${url} (not tried)`)
  const address = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || (protocol === 'https:' ? 443 : 80) }
  if (await takesConnections(address)) return finding('tracker', 'ok', `${url} takes connections`)
  return finding('tracker', 'warning', `${url} takes no connections`, 'another gittorrent.tracker')
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

/** Null when the port can be opened, else why not. */
function bindTcp({ host, port }: HostPort): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen({ host, port }, () => server.close(() => resolve(null)))
  })
}

function bindUdp({ host, port }: HostPort): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(`UDP ${error.code ?? error.message}`))
    socket.bind(port, host, () => socket.close(() => resolve(null)))
  })
}
