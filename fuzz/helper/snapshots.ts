/**
 * Fuzz target of the snapshots in a `chain` answer. Only the errors of the rooms may come out; what is claimed is a
 * checkpoint of the right level, and the infohash is that of the info dict.
 */

import { createHash } from 'node:crypto'
import { EngineError, GT1, pieceLengthOf } from '../../engine/index.ts'
import { HelperError } from '../../helper/errors.ts'
import { decodeSnapshots } from '../../helper/share/chain-message.ts'
import { bencodeDict, encodeBencode, NetError } from '../../net/index.ts'
import { BENCODE_WORDS, checkpoints, levelOf } from '../driver/seeds.ts'

const LENGTH = 40_000

export function fuzz(bytes: Uint8Array): void {
  try {
    for (const { commit, info, infohash } of decodeSnapshots(bytes, 'sha1', levelOf)) {
      if ((levelOf(commit) ?? -1) < GT1.snapshotLevel) throw new Error('no checkpoint')
      if (
        Buffer.compare(
          createHash('sha1')
            .update(info ?? '')
            .digest(),
          infohash,
        ) !== 0
      )
        throw new Error('another infohash')
    }
  } catch (error) {
    if (!(error instanceof HelperError || error instanceof NetError || error instanceof EngineError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  const [commit = ''] = checkpoints('sha1', GT1.snapshotLevel, 1)
  const pieces = Buffer.alloc(20 * Math.ceil(LENGTH / pieceLengthOf(LENGTH)), 3)
  const snapshot = [Buffer.from(commit, 'hex'), 9n, BigInt(LENGTH), Buffer.alloc(32, 1), pieces]
  return [encodeBencode(bencodeDict({ c: [], n: [snapshot], v: 1n }))]
}

export const dictionary = [...BENCODE_WORDS, '1:n', '1:c', '60:', 'i40000e']
