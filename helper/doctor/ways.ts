/**
 * Ways in, each tried as a clone would use it, but for a topic that is made up on the spot, so that nobody learns anything: the
 * listening port, static peers, trackers, the local network, DHT nodes, web seeds. The usual nodes of the public DHT are
 * asked only when the user says so.
 */
import { createSocket } from 'node:dgram'
import { connect, createServer } from 'node:net'
import {
  formatAddress,
  lsdInterfaces,
  PUBLIC_DHT_BOOTSTRAP,
  probeDhtNode,
  probeLsd,
  probeTracker,
} from '../../net/index.ts'
import type { HostPort, Settings } from '../config.ts'
import { messageOf } from '../errors.ts'
import { MANIFEST_NAME } from '../export/file-names.ts'
import { parseManifest } from '../export/manifest.ts'
import { DOCTOR_CONNECT_TIMEOUT_MS, MANIFEST_LENGTH_MAX } from '../limits.ts'
import { countOf } from '../progress.ts'
import { WebConnections, webGet } from '../share/webseed/http-get.ts'
import { withoutPassword } from '../trace.ts'
import { type Finding, finding } from './finding.ts'

/**
 * @param daemonAddress where the daemon listens, null if none runs
 * @param asksPublic ask the usual nodes of the public DHT too
 */
export async function wayFindings(
  settings: Settings,
  daemonAddress: string | null,
  asksPublic: boolean,
): Promise<Finding[]> {
  const found = await Promise.all([
    listenFinding(settings.listen, daemonAddress),
    ...settings.peers.map(peerFinding),
    ...settings.trackers.map(trackerFinding),
    ...lsdFindings(settings),
    dhtFinding(settings, asksPublic),
    ...settings.webseeds.map(webSeedFinding),
  ])
  const { peers, trackers, webseeds, lsd, dht } = settings
  if (peers.length + trackers.length + webseeds.length === 0 && !lsd && !dht) {
    const advice = 'gittorrent.peer, gittorrent.tracker, or gittorrent.dht'
    found.push(finding('ways in', 'warning', 'none is configured: everything comes from the origin', advice))
  }
  return found
}

async function dhtFinding({ dht, dhtBootstrap }: Settings, asksPublic: boolean): Promise<Finding> {
  if (!dht) return finding('dht', 'ok', 'switched off')
  const nodes = dhtBootstrap ?? PUBLIC_DHT_BOOTSTRAP
  if (nodes.length === 0) return finding('dht', 'warning', 'on, but starts from no node', 'gittorrent.dhtBootstrap')
  const use = 'used for public origins only'
  if (dhtBootstrap === null && !asksPublic)
    return finding('dht', 'ok', `on, starts from the usual nodes (not asked without --public); ${use}`)
  const failures = await Promise.all(nodes.map(probeDhtNode))
  const names = nodes.flatMap((node, index) => (failures[index] === null ? [] : [formatAddress(node)]))
  const count = nodes.length - names.length
  const text = `${count} of ${nodes.length} nodes answer${names.length === 0 ? '' : `, not ${names.join(', ')}`}; ${use}`
  if (count > 0) return finding('dht', 'ok', text)
  return finding('dht', 'warning', text, 'other nodes in gittorrent.dhtBootstrap, or a way out for UDP')
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

function lsdFindings({ lsd, listen, isLsdAsked }: Settings): Promise<Finding>[] {
  const subject = 'local network'
  if (!lsd) return [Promise.resolve(finding(subject, 'ok', 'switched off'))]
  const interfaces = lsdInterfaces(listen?.host ?? null)
  const scope = isLsdAsked ? 'for all origins' : 'for public origins only'
  if (interfaces.length === 0)
    return [Promise.resolve(finding(subject, 'ok', 'not asked: no interface has a private address'))]
  return interfaces.map(async (address) => {
    const failure = await probeLsd(address)
    if (failure === null) return finding(subject, 'ok', `can be asked on ${address}, ${scope}`)
    return finding(
      subject,
      'warning',
      `cannot be asked on ${address} (${failure})`,
      'multicast there, or gittorrent.lsd=false',
    )
  })
}

async function peerFinding(peer: HostPort): Promise<Finding> {
  const shown = formatAddress(peer)
  if (await takesConnections(peer)) return finding('peer', 'ok', `${shown} takes connections`)
  return finding('peer', 'warning', `${shown} takes no connections`, 'to start it, or to drop it from gittorrent.peer')
}

async function trackerFinding(url: string): Promise<Finding> {
  const shown = withoutPassword(url)
  const failure = await probeTracker(url)
  if (failure === null) return finding('tracker', 'ok', `${shown} answers`)
  const text = `${shown} does not answer (${withoutPassword(failure)})`
  return finding('tracker', 'warning', text, 'another gittorrent.tracker')
}

async function webSeedFinding(url: string): Promise<Finding> {
  const shown = withoutPassword(url)
  const connections = new WebConnections()
  try {
    const place = url.endsWith('/') ? `${url}${MANIFEST_NAME}` : url
    const signal = AbortSignal.timeout(DOCTOR_CONNECT_TIMEOUT_MS)
    const { body } = await webGet(place, { offset: 0, end: null, mustBePublic: false, signal }, connections)
    const parts: Uint8Array[] = []
    let length = 0
    for await (const bytes of body) {
      length += bytes.length
      if (length > MANIFEST_LENGTH_MAX) break
      parts.push(bytes)
    }
    const { chains } = parseManifest(Buffer.concat(parts))
    const links = chains.reduce((sum, chain) => sum + chain.links.length, 0)
    return finding('web seed', 'ok', `${shown} has ${countOf(links, 'link')} of ${countOf(chains.length, 'line')}`)
  } catch (error) {
    const text = `${shown} cannot be used (${withoutPassword(messageOf(error))})`
    return finding('web seed', 'warning', text, 'the URL of a folder that `gittorrent export` wrote')
  } finally {
    connections.close()
  }
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
