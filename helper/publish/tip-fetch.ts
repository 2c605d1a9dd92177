/**
 * The asking end of the tunnel: brings what a publisher's refs reach from one peer into a quarantine. git indexes the pack
 * and names every object itself; tip-check.ts says whether it is what was wanted before a ref moves.
 * The haves are tips that this publisher published before, never a commit of the user's own.
 */
import { Readable } from 'node:stream'
import { NetError, type TopicPeer } from '../../net/index.ts'
import { HelperError, printable } from '../errors.ts'
import { ByteReader } from '../remote/byte-reader.ts'
import { readPacket, textOf } from '../remote/pkt-line.ts'
import type { PackIndexer, Quarantine } from '../share/supply/quarantine.ts'
import {
  TIP_ANSWER_LENGTH_MAX,
  TIP_BUSY_COUNT_MAX,
  TIP_BUSY_PAUSE_MS,
  TIP_HAVE_COUNT_MAX,
  TIP_ROUND_COUNT_MAX,
  TIP_STALL_TIMEOUT_MS,
  TIP_WANT_COUNT_MAX,
} from './limits.ts'
import { encodeTipRequest, type TipRequest } from './tip-request.ts'

export const TIP_KIND = 'tip'

export interface TipFetch extends TipRequest {
  readonly fsckObjects: boolean
  readonly onBytes: (count: number) => void
  readonly signal: AbortSignal
}

/**
 * Fetches all wants, in as many questions as they take; returns the hashes in the names of the packs that came.
 * @throws NetError as a peer's answers do; HelperError origin-protocol, git-failed for what git will not have
 */
export async function fetchThroughTunnel(peer: TopicPeer, quarantine: Quarantine, fetch: TipFetch): Promise<string[]> {
  const packHashes: string[] = []
  let known = [...fetch.haves]
  for (let at = 0, round = 0; at < fetch.wants.length && round < TIP_ROUND_COUNT_MAX; round++) {
    const wants = fetch.wants.slice(at, at + TIP_WANT_COUNT_MAX)
    const part = { ...fetch, wants, haves: known.slice(-TIP_HAVE_COUNT_MAX) }
    packHashes.push(await untilFree(() => fetchOnce(peer, quarantine, part), fetch.signal))
    known = [...known, ...wants]
    at += wants.length
  }
  return packHashes
}

/** Asks again while the peer is busy, now and then, for a while. */
async function untilFree<Answer>(ask: () => Promise<Answer>, signal: AbortSignal): Promise<Answer> {
  for (let count = 0; ; count++) {
    try {
      return await ask()
    } catch (error) {
      const isBusy = error instanceof NetError && error.data.reason === 'busy'
      if (!isBusy || count === TIP_BUSY_COUNT_MAX || signal.aborted) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, TIP_BUSY_PAUSE_MS))
  }
}

async function fetchOnce(peer: TopicPeer, quarantine: Quarantine, fetch: TipFetch): Promise<string> {
  const stream = peer.requestStream(TIP_KIND, encodeTipRequest(fetch), {
    stallTimeoutMs: TIP_STALL_TIMEOUT_MS,
    lengthMax: TIP_ANSWER_LENGTH_MAX,
    signal: fetch.signal,
  })
  const reader = new ByteReader(Readable.from(counted(stream, fetch.onBytes), { objectMode: false }))
  const first = await readPacket(reader)
  if (first === null || textOf(first) !== 'packfile') throw protocolError('a pack', first === null ? '' : textOf(first))
  const indexer = quarantine.index({
    keep: false,
    isWholeHistory: false,
    lengthMax: TIP_ANSWER_LENGTH_MAX,
    fsckObjects: fetch.fsckObjects,
  })
  try {
    await readPack(reader, indexer)
    return await indexer.finish()
  } catch (error) {
    await indexer.abort()
    throw error
  }
}

/** Band 1 is the pack, 2 progress, 3 an error (gitprotocol-pack, "Packfile Data"). @throws HelperError 'origin-protocol' and what `indexer` throws */
export async function readPack(reader: ByteReader, indexer: Pick<PackIndexer, 'write'>): Promise<void> {
  for (;;) {
    const packet = await readPacket(reader)
    if (packet === null) throw protocolError('the end of the pack', 'the end of the answer')
    if (packet.kind === 'flush') return
    const band = packet.payload[0]
    if (packet.kind !== 'data' || band === undefined || band > 3) throw protocolError('a side band', String(band))
    if (band === 1) await indexer.write(packet.payload.subarray(1))
    else if (band === 3) throw protocolError('a pack', packet.payload.subarray(1).toString('utf8'))
  }
}

async function* counted(stream: AsyncIterable<Uint8Array>, onBytes: (count: number) => void): AsyncGenerator<Buffer> {
  for await (const bytes of stream) {
    onBytes(bytes.length)
    yield Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
}

function protocolError(expected: string, got: string): HelperError {
  return new HelperError('origin-protocol', `tunnel: expected ${expected}, got '${printable(got)}'`)
}
