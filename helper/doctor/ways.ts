/**
 * Ways in, each tried as a clone would use it, but for a topic that is made up on the spot, so that nobody learns anything: static and
 * remembered peers, trackers, the local network, DHT nodes, web seeds. Each line says for which origins its way in is used. The usual
 * nodes of the public DHT are asked only when the user says so.
 */
import {
  formatAddress,
  lsdInterfaces,
  PUBLIC_DHT_BOOTSTRAP,
  probeDhtNode,
  probeLsd,
  probeTracker,
} from '../../net/index.ts'
import type { Settings } from '../config.ts'
import { messageOf } from '../errors.ts'
import { MANIFEST_NAME } from '../export/file-names.ts'
import { parseManifest } from '../export/manifest.ts'
import { DOCTOR_CONNECT_TIMEOUT_MS, MANIFEST_LENGTH_MAX } from '../limits.ts'
import { countOf } from '../progress.ts'
import { WebConnections, webGet } from '../share/webseed/http-get.ts'
import { withoutPassword } from '../trace.ts'
import { type Finding, finding } from './finding.ts'
import { peerFindings } from './peers.ts'
import { ALL_ORIGINS, useOfLsd, useOfNodes, useOfTracker } from './use.ts'

/** @param asksPublic ask the usual nodes of the public DHT too */
export async function wayFindings(settings: Settings, asksPublic: boolean): Promise<Finding[]> {
  const [ofPeers, ...others] = await Promise.all([
    peerFindings(settings),
    ...settings.trackers.map((url) => trackerFinding(url, settings)),
    ...lsdFindings(settings),
    dhtFinding(settings, asksPublic),
    ...settings.webseeds.map(webSeedFinding),
  ])
  const gossip = finding(
    'gossip',
    'ok',
    settings.gossip ? `peers that are connected name others, ${ALL_ORIGINS}` : 'switched off',
  )
  const found = [...ofPeers, ...others, gossip, mirrorFinding(settings)]
  const { peers, trackers, webseeds, lsd, dht } = settings
  if (peers.length + trackers.length + webseeds.length === 0 && !lsd && !dht) {
    const advice = 'gittorrent.peer, gittorrent.tracker, or gittorrent.dht'
    found.push(finding('ways in', 'warning', 'none is configured: everything comes from the origin', advice))
  }
  return found
}

async function dhtFinding(settings: Settings, asksPublic: boolean): Promise<Finding> {
  const { dht, dhtBootstrap } = settings
  if (!dht) return finding('dht', 'ok', 'switched off')
  const nodes = dhtBootstrap ?? PUBLIC_DHT_BOOTSTRAP
  if (nodes.length === 0) return finding('dht', 'warning', 'on, but starts from no node', 'gittorrent.dhtBootstrap')
  const use = useOfNodes(nodes, settings)
  if (dhtBootstrap === null && !asksPublic)
    return finding('dht', 'ok', `on, starts from the usual nodes (not asked without --public); ${use}`)
  const failures = await Promise.all(nodes.map(probeDhtNode))
  const names = nodes.flatMap((node, index) => (failures[index] === null ? [] : [formatAddress(node)]))
  const count = nodes.length - names.length
  const text = `${count} of ${nodes.length} nodes answer${names.length === 0 ? '' : `, not ${names.join(', ')}`}; ${use}`
  if (count > 0) return finding('dht', 'ok', text)
  return finding('dht', 'warning', text, 'other nodes in gittorrent.dhtBootstrap, or a way out for UDP')
}

function lsdFindings(settings: Settings): Promise<Finding>[] {
  const { lsd, listen } = settings
  const subject = 'local network'
  if (!lsd) return [Promise.resolve(finding(subject, 'ok', 'switched off'))]
  const interfaces = lsdInterfaces(listen?.host ?? null)
  const use = useOfLsd(settings)
  if (interfaces.length === 0)
    return [Promise.resolve(finding(subject, 'ok', 'not asked: no interface has a private address'))]
  return interfaces.map(async (address) => {
    const failure = await probeLsd(address)
    if (failure === null) return finding(subject, 'ok', `can be asked on ${address}, ${use}`)
    return finding(
      subject,
      'warning',
      `cannot be asked on ${address} (${failure})`,
      'multicast there, or gittorrent.lsd=false',
    )
  })
}

async function trackerFinding(url: string, settings: Settings): Promise<Finding> {
  const shown = withoutPassword(url)
  const failure = await probeTracker(url)
  if (failure === null) return finding('tracker', 'ok', `${shown} answers; ${useOfTracker(url, settings)}`)
  const text = `${shown} does not answer (${withoutPassword(failure)}); it would be used ${useOfTracker(url, settings)}`
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
    return finding(
      'web seed',
      'ok',
      `${shown} has ${countOf(links, 'link')} of ${countOf(chains.length, 'line')}; ${ALL_ORIGINS}`,
    )
  } catch (error) {
    const text = `${shown} cannot be used (${withoutPassword(messageOf(error))})`
    return finding('web seed', 'warning', text, 'the URL of a folder that `gittorrent export` wrote')
  } finally {
    connections.close()
  }
}

function mirrorFinding({ mirrors, mirrorOrder }: Settings): Finding {
  const text = mirrors
    ? `followed where an origin names some, in this order: ${mirrorOrder.join(', ')}`
    : 'switched off'
  return finding('mirrors', 'ok', text)
}
