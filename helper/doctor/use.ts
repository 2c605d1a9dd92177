/**
 * For which origins a way in is used, as share/ways-in.ts decides it, in words: what strangers hear of is used for public origins
 * only, and where a secret is set every origin counts as private.
 */
import { classOfHost, formatAddress, trackerHost } from '../../net/index.ts'
import type { HostPort, Settings } from '../config.ts'

export const ALL_ORIGINS = 'for all origins'
const PUBLIC_ORIGINS = 'for public origins only, not for private ones'
const NO_ORIGINS = 'for no origin, because of gittorrent.secretFile'

function isOwnNetwork(host: string): boolean {
  return classOfHost(host) !== 'public'
}

export function useOfTracker(url: string, { secretFile }: Settings): string {
  return secretFile !== null || isOwnNetwork(trackerHost(url)) ? ALL_ORIGINS : PUBLIC_ORIGINS
}

export function useOfLsd({ isLsdAsked, secretFile }: Settings): string {
  if (isLsdAsked) return ALL_ORIGINS
  return secretFile === null ? `${PUBLIC_ORIGINS} without gittorrent.lsd=true` : NO_ORIGINS
}

export function useOfNodes(nodes: readonly HostPort[], { secretFile }: Settings): string {
  const own = nodes.filter(({ host }) => isOwnNetwork(host))
  if (own.length === nodes.length) return ALL_ORIGINS
  const rest = secretFile === null ? PUBLIC_ORIGINS : NO_ORIGINS
  return own.length === 0 ? rest : `${own.map(formatAddress).join(', ')} ${ALL_ORIGINS}, the others ${rest}`
}
