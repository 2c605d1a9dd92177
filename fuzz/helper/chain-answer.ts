/**
 * Fuzz target of the `chain` answer, the longest message that strangers send to the helper. Only the errors of the rooms
 * may come out; in a claim that is taken in, links join, lengths add up, and the infohash is that of the info dict.
 */

import { createHash } from 'node:crypto'
import { EngineError, GT1, layOutLink, linkName, type ObjectFormat, pieceLengthOf } from '../../engine/index.ts'
import { HelperError } from '../../helper/errors.ts'
import { decodeChainAnswer } from '../../helper/share/chain-message.ts'
import { type Bencode, bencodeDict, encodeBencode, NetError } from '../../net/index.ts'
import { BENCODE_WORDS, checkpoints, levelOf } from '../driver/seeds.ts'

export function fuzz(bytes: Uint8Array): void {
  for (const format of ['sha1', 'sha256'] as const) {
    try {
      for (const { links } of decodeChainAnswer(bytes, format, levelOf)) {
        for (const [index, link] of links.entries()) {
          if (index > 0 && links[index - 1]?.base !== link.tip) throw new Error('links that do not join')
          const infohash = createHash('sha1')
            .update(link.info ?? '')
            .digest()
          if (Buffer.compare(infohash, link.infohash) !== 0) throw new Error('another infohash')
          const bodies = link.segments.reduce((sum, { length }) => sum + length, 0)
          if (link.layout.length !== link.layout.header.length + bodies + link.layout.trailerLength)
            throw new Error('lengths that do not add up')
        }
      }
    } catch (error) {
      if (!(error instanceof HelperError || error instanceof NetError || error instanceof EngineError)) throw error
    }
  }
}

export function seeds(): Uint8Array[] {
  return [answer('sha1'), answer('sha256')]
}

/** A chain of a fine link of two segments and a coarse one down to the root. */
function answer(format: ObjectFormat): Uint8Array {
  const [tip, middle, coarse] = [...checkpoints(format, 0, 2), ...checkpoints(format, GT1.coarseLevel, 1)]
  const bytesOf = (oid: string | undefined): Uint8Array => Buffer.from(oid ?? '', 'hex')
  const hash = Buffer.alloc(32, 1)
  const linkOf = (ends: readonly (string | undefined)[], level: number): Bencode => {
    const [base, ...tips] = ends
    const last = tips[tips.length - 1]
    const plan = { tip: last as never, base: (base ?? null) as never }
    const { length } = layOutLink(
      plan,
      format,
      tips.map(() => ({ objectCount: 1, length: 1000 })),
    )
    linkName(plan.tip, plan.base)
    const pieces = Buffer.alloc(20 * Math.ceil(length / pieceLengthOf(length)), 2)
    const segments = tips.map((oid) => [bytesOf(oid), 5n, 2n, 1000n, hash])
    return bencodeDict({ b: bytesOf(base), k: BigInt(level), p: pieces, s: hash, t: bytesOf(last), x: segments })
  }
  const links = [linkOf([coarse, middle, tip], 1), linkOf([undefined, coarse], GT1.coarseLevel + 1)]
  const chain = bencodeDict({ l: links, r: Buffer.from('refs/heads/main'), t: bytesOf(tip) })
  return encodeBencode(bencodeDict({ c: [chain], v: 1n }))
}

export const dictionary = [...BENCODE_WORDS, '1:c', '1:l', '1:x', 'refs/heads/', 'i5e', 'i1000000000000e']
