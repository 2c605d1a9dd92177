/**
 * Peers that are known without asking anybody: those that the user has named, each dialled, and those that earlier runs have met.
 */
import { formatAddress, type PeerProbe, probePeer } from '../../net/index.ts'
import type { HostPort, Settings } from '../config.ts'
import { messageOf } from '../errors.ts'
import { countOf } from '../progress.ts'
import { openNetMemory } from '../share/net-memory.ts'
import { readSecretFile, secretFilesOf } from '../share/secret-file.ts'
import { type Finding, finding } from './finding.ts'
import { ALL_ORIGINS } from './use.ts'

/** A secret that peers may share, null for none. */
interface Secret {
  readonly file: string | null
  readonly bytes: Uint8Array | null
}

/** Static peers, and the secrets that they are dialled with; then what is remembered. */
export async function peerFindings(settings: Settings): Promise<Finding[]> {
  const found: Finding[] = []
  const secrets: Secret[] = []
  for (const file of secretFilesOf(settings)) {
    try {
      secrets.push({ file, bytes: file === null ? null : readSecretFile(file) })
      if (file !== null) found.push(finding('secret', 'ok', `'${file}' can be used`))
    } catch (error) {
      found.push(finding('secret', 'failure', messageOf(error), 'to correct it; nobody is asked meanwhile'))
    }
  }
  found.push(...(await Promise.all(settings.peers.map((peer) => peerFinding(peer, secrets)))))
  return [...found, rememberedFinding(settings)]
}

const TELLING: Readonly<Record<Exclude<PeerProbe, 'secret'>, string>> = {
  handshake: 'answers as a BitTorrent program',
  'hangs-up': 'takes connections and hangs up on an unknown torrent, as BitTorrent programs do',
  'no-connection': 'takes no connections',
  silent: 'takes connections, but says nothing to a BitTorrent handshake',
  other: 'takes connections, but is no BitTorrent program',
}

async function peerFinding(peer: HostPort, secrets: readonly Secret[]): Promise<Finding> {
  const shown = formatAddress(peer)
  let telling = TELLING['no-connection']
  for (const { file, bytes } of secrets) {
    const probe = await probePeer(peer, bytes)
    if (probe === 'secret') return finding('peer', 'ok', `${shown} has the secret in '${file}'`)
    if (bytes === null && (probe === 'handshake' || probe === 'hangs-up'))
      return finding('peer', 'ok', `${shown} ${TELLING[probe]}; ${ALL_ORIGINS}`)
    const isStranger = bytes !== null && probe !== 'no-connection'
    telling = isStranger ? `takes connections, but does not have the secret in '${file}'` : TELLING[probe]
  }
  return finding('peer', 'warning', `${shown} ${telling}`, 'to start it, or to drop it from gittorrent.peer')
}

function rememberedFinding({ peerMemory }: Settings): Finding {
  if (peerMemory === null) return finding('remembered peers', 'ok', 'switched off')
  const { known } = openNetMemory(peerMemory)
  const { peerCount, topicCount, nodeCount } = known.counts
  const banCount = known.bans(Date.now()).length
  const peers = `${countOf(peerCount, 'peer')} of ${countOf(topicCount, 'repository', 'repositories')}`
  const text = `${peers}, ${countOf(nodeCount, 'DHT node')}, ${countOf(banCount, 'ban')}; tried first, ${ALL_ORIGINS}`
  return finding('remembered peers', 'ok', text)
}
