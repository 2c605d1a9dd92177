// Fuzz target: everything else that strangers answer with: gossip, range questions, trackers over HTTP and UDP.
import { decodePeers } from '../../net/gossip.ts'
import { NetError } from '../../net/index.ts'
import { decodeRangeQuestion } from '../../net/range.ts'
import { parseTrackerAnswer, parseUdpTrackerAnswer } from '../../net/tracker.ts'

const PARSERS: readonly ((bytes: Uint8Array) => unknown)[] = [
  decodePeers,
  decodeRangeQuestion,
  parseTrackerAnswer,
  (bytes) => parseUdpTrackerAnswer(bytes, bytes.subarray(4, 8)),
]

export function fuzz(bytes: Uint8Array): void {
  for (const parse of PARSERS) {
    try {
      parse(bytes)
    } catch (error) {
      if (!(error instanceof NetError)) throw error
    }
  }
}
