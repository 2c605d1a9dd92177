/**
 * What `status` and `list` show of publications, in the form that goes over the socket and out of `--json`. Times are
 * ISO 8601; `warnings` says in sentences what a reader would be warned of: expiry, rollback, two values for one seq.
 */

import type { KeptPublication, PublicationState } from '../publish/kept-publication.ts'
import { RECORD_WARNING_S } from '../publish/limits.ts'

export interface PublicationStatus {
  readonly url: string
  /** 40 digits: the key of the address; `signer` is its successor if there is one. */
  readonly key: string
  readonly signer: string
  readonly name: string
  /** Signed by a key of this user. */
  readonly own: boolean
  readonly state: PublicationState
  readonly seq: number | null
  readonly expires: string | null
  /** Peers connected on the topic, readers included. */
  readonly peers: number
  /** Others that hold what is held here, and something older, when last asked; null before. */
  readonly holders: { readonly current: number; readonly older: number } | null
  readonly diskBytes: number
  /** When the records were last put into the DHT, and the nodes that took them. */
  readonly lastPut: string | null
  readonly nodes: number | null
  /** Proofs that the key signed two values for one seq. */
  readonly evidence: number
  readonly warnings: readonly string[]
}

export function describePublication(kept: KeptPublication): PublicationStatus {
  const { address, id, state, seq, expires, holders, put, evidenceCount, isOwn } = kept
  return {
    url: `gittorrent://${address.key}/${address.name}`,
    key: kept.addressId,
    signer: id,
    name: address.name,
    own: isOwn,
    state,
    seq,
    expires: expires === null ? null : new Date(expires * 1000).toISOString(),
    peers: kept.connectedCount,
    holders,
    diskBytes: kept.diskLength,
    lastPut: put === null ? null : new Date(put.atMs).toISOString(),
    nodes: put?.nodeCount ?? null,
    evidence: evidenceCount,
    warnings: [...kept.notes, ...expiryOf(expires), ...evidenceOf(evidenceCount)],
  }
}

function expiryOf(expires: number | null): string[] {
  if (expires === null) return []
  const leftSeconds = expires - Date.now() / 1000
  if (leftSeconds <= 0) return ['the record has expired: its publisher has to sign anew']
  return leftSeconds < RECORD_WARNING_S ? ['the record is about to expire: its publisher has to sign anew'] : []
}

function evidenceOf(count: number): string[] {
  return count === 0 ? [] : [`its key signed two values for one seq, ${count} times: proof is kept`]
}
