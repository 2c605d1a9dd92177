/**
 * Brings the payload of a snapshot from a web seed: from the first piece that is lacking to the end in one request, each piece
 * compared with its hash before it is written. A connection that breaks is opened again where it ended, as long as each
 * brings something. What an earlier source or run has left counts as far as its pieces are right.
 */

import { createHash } from 'node:crypto'
import { HelperError } from '../../errors.ts'
import { piecesIn } from '../../export/torrent-file.ts'
import { WEBSEED_SKIP_LENGTH_MAX } from '../../limits.ts'
import type { DescribedSnapshot } from '../chain-claim.ts'
import type { IncomingFile } from '../supply/incoming.ts'
import { type WebConnections, webGet } from './http-get.ts'
import type { WebSeed } from './web-seed.ts'

const PIECE_HASH_LENGTH = 20

export interface SnapshotTransfer {
  readonly claim: DescribedSnapshot
  readonly file: IncomingFile
  readonly connections: WebConnections
  readonly signal: AbortSignal
  /** Called with the number of bytes of each part that arrived, wanted or not. */
  readonly onBytes: (count: number) => void
}

/** Resolves when the whole payload is in the file. @throws HelperError 'webseed-failed', 'chain-malformed' */
export async function bringSnapshotFromWeb(seed: WebSeed, transfer: SnapshotTransfer): Promise<void> {
  const url = seed.urlOfSnapshot(transfer.claim)
  if (url === null) throw new HelperError('webseed-failed', `web seed ${seed.url}: expected the snapshot, got none`)
  const { lengthBytes } = transfer.claim
  let at = await goodLength(transfer)
  while (at < lengthBytes) {
    const before = at
    try {
      await bringSome(url, seed.mustBePublic, transfer, before, (pieceEnd) => {
        at = pieceEnd
      })
    } catch (error) {
      const mayGoOn = at > before && error instanceof HelperError && error.code === 'webseed-failed'
      if (!mayGoOn || transfer.signal.aborted) throw error
    }
  }
}

/** Bytes from the start whose pieces are right. */
async function goodLength({ claim, file }: SnapshotTransfer): Promise<number> {
  const { lengthBytes, pieceLengthBytes } = claim
  const left = Math.min(await file.leftLength(), lengthBytes)
  for (let at = 0; ; at += pieceLengthBytes) {
    const length = Math.min(pieceLengthBytes, lengthBytes - at)
    if (length <= 0) return lengthBytes
    if (at + length > left || !isPiece(claim, at, await file.read(at, length))) return at
  }
}

function isPiece({ info, pieceLengthBytes }: DescribedSnapshot, offset: number, bytes: Uint8Array): boolean {
  const from = (offset / pieceLengthBytes) * PIECE_HASH_LENGTH
  const expected = piecesIn(info).subarray(from, from + PIECE_HASH_LENGTH)
  return createHash('sha1').update(bytes).digest().equals(expected)
}

/** Writes pieces as they become whole, from offset `start` (of a piece) on. */
async function bringSome(
  url: string,
  mustBePublic: boolean,
  { claim, file, connections, signal, onBytes }: SnapshotTransfer,
  start: number,
  onPiece: (pieceEnd: number) => void,
): Promise<void> {
  const { lengthBytes, pieceLengthBytes } = claim
  const answer = await webGet(url, { offset: start, end: lengthBytes, mustBePublic, signal }, connections)
  if (answer.fileLength !== null && answer.fileLength !== lengthBytes)
    throw wrong('webseed-failed', url, `${lengthBytes} bytes`, `${answer.fileLength}`)
  let skip = start - answer.offset
  if (skip > WEBSEED_SKIP_LENGTH_MAX) throw wrong('webseed-failed', url, 'a server with ranges', 'one without')
  const piece = new Uint8Array(Math.min(pieceLengthBytes, lengthBytes))
  let filled = 0
  let at = start
  for await (const chunk of answer.body) {
    onBytes(chunk.length)
    const skipped = Math.min(skip, chunk.length)
    skip -= skipped
    for (let bytes = chunk.subarray(skipped); bytes.length > 0; ) {
      const length = Math.min(pieceLengthBytes, lengthBytes - at)
      if (length <= 0) return
      const part = bytes.subarray(0, length - filled)
      piece.set(part, filled)
      filled += part.length
      bytes = bytes.subarray(part.length)
      if (filled < length) break
      const whole = piece.subarray(0, length)
      if (!isPiece(claim, at, whole)) throw wrong('chain-malformed', url, `piece at ${at} as claimed`, 'other bytes')
      await file.write(at, whole)
      at += length
      filled = 0
      onPiece(at)
    }
    if (at >= lengthBytes) return
  }
  throw wrong('webseed-failed', url, `${lengthBytes - at} bytes more`, 'the end of the file')
}

function wrong(code: 'webseed-failed' | 'chain-malformed', url: string, expected: string, got: string): HelperError {
  return new HelperError(code, `web seed ${url}: expected ${expected}, got ${got}`)
}
