/**
 * The payloads of the `chain` question (net/PROTOCOL.md carries them, helper gives them meaning): which chains a peer
 * offers. Bencoded, canonical, bounded. An answer is a claim; chain-claim.ts checks of it what arithmetic can check.
 *
 *   question {c: most chains that are taken, f: object format, v: 1}                         `c` may be absent
 *   answer   {c: [chain], n: [snapshot], v: 1}        `n` may be absent
 *   chain    {g: pack, l: [link], r: ref name, t: tip}                                       `g` absent: 0
 *   link     {b: base or "", k: level, p: piece hashes, s: SHA-256, t: tip, x: [segment]}     newest link first
 *   segment  [tip, object count, commit count, body length, SHA-256]                          oldest first
 *   snapshot [commit, object count, payload length, SHA-256, piece hashes]                    newest first
 */

import {
  hashLengthOf,
  type LevelOf,
  linkName,
  type ObjectFormat,
  type Oid,
  parseOid,
  snapshotName,
} from '../../engine/index.ts'
import {
  asBytes,
  asDict,
  asInteger,
  asList,
  type Bencode,
  type BencodeDict,
  bencodeDict,
  decodeBencode,
  encodeBencode,
  NetError,
  Refusal,
} from '../../net/index.ts'
import type { Chain } from '../build/chains.ts'
import type { LinkFile } from '../build/link-file.ts'
import type { SnapshotFile } from '../build/snapshots.ts'
import { HelperError } from '../errors.ts'
import { piecesIn } from '../export/torrent-file.ts'
import {
  CHAIN_COUNT_MAX,
  CHAIN_COUNT_UNASKED,
  LINK_COUNT_MAX,
  LINK_LENGTH_MAX,
  OBJECT_COUNT_MAX,
  PIECE_HASHES_LENGTH_MAX,
  REF_NAME_LENGTH_MAX,
  SEGMENT_COUNT_MAX,
  SNAPSHOT_COUNT_MAX,
} from '../limits.ts'
import {
  type ChainClaim,
  checkedChain,
  checkedLink,
  type DescribedSnapshot,
  describePayload,
  type LinkClaim,
  requireSnapshotCheckpoint,
  type SegmentFacts,
} from './chain-claim.ts'

export const CHAIN_KIND = 'chain'
const VERSION = 1

export interface ChainQuestion {
  readonly format: ObjectFormat
  /** Chains that the asker takes at most. */
  readonly chainCountMax: number
}

export function encodeChainQuestion({ format, chainCountMax }: ChainQuestion): Uint8Array {
  return encodeBencode(bencodeDict({ c: BigInt(chainCountMax), f: Buffer.from(format), v: BigInt(VERSION) }))
}

/** @throws Refusal malformed */
export function decodeChainQuestion(bytes: Uint8Array): ChainQuestion {
  const question = readQuestion(bytes)
  const format = Buffer.from(asBytes(question?.get('f'), 1, 16) ?? []).toString('latin1')
  const chainCountMax =
    question?.has('c') === true ? asInteger(question.get('c'), 1, Number.MAX_SAFE_INTEGER) : CHAIN_COUNT_UNASKED
  const isKnown = isVersion(question?.get('v')) && (format === 'sha1' || format === 'sha256')
  if (!isKnown || chainCountMax === null) throw new Refusal('malformed')
  return { format, chainCountMax }
}

function readQuestion(bytes: Uint8Array): BencodeDict | null {
  try {
    return asDict(decodeBencode(bytes))
  } catch (error) {
    if (error instanceof NetError) return null
    throw error
  }
}

/** A later version promises that this one is understood. */
function isVersion(value: Bencode | undefined): boolean {
  return asInteger(value, VERSION, Number.MAX_SAFE_INTEGER) !== null
}

export function encodeChainAnswer(
  chains: readonly OfferedChain[],
  snapshots: readonly SnapshotFile[] = [],
): Uint8Array {
  return chainAnswers(chains, snapshots)(chains.length)
}

type OfferedChain = Pick<Chain, 'ref' | 'tip' | 'links' | 'pack'>

/**
 * Answers with as many of the chains as are asked for. Each chain is encoded once: a question of thirty bytes may want any number of them,
 * and whoever asks may ask a hundred times a second.
 */
export function chainAnswers(
  chains: readonly OfferedChain[],
  snapshots: readonly SnapshotFile[] = [],
): (countMax: number) => Uint8Array {
  const encoded = chains.map(({ ref, tip, links, pack }) =>
    encodeBencode(
      bencodeDict({
        ...(pack === 0 ? {} : { g: BigInt(pack) }),
        l: links.map(encodeLink),
        r: Buffer.from(ref),
        t: Buffer.from(tip, 'hex'),
      }),
    ),
  )
  const offered = snapshots.length === 0 ? {} : { n: snapshots.slice(0, SNAPSHOT_COUNT_MAX).map(encodeSnapshot) }
  const others = encodeBencode(bencodeDict({ ...offered, v: BigInt(VERSION) })).subarray('d'.length)
  return (countMax) => Buffer.concat([Buffer.from('d1:cl'), ...encoded.slice(0, countMax), Buffer.from('e'), others])
}

function encodeSnapshot({ commit, objectCount, lengthBytes, sha256, info }: SnapshotFile): Bencode {
  const counts = [BigInt(objectCount), BigInt(lengthBytes)]
  return [Buffer.from(commit, 'hex'), ...counts, Buffer.from(sha256, 'hex'), piecesIn(info)]
}

function encodeLink({ plan, segments, sha256, info }: LinkFile): Bencode {
  return bencodeDict({
    b: Buffer.from(plan.base ?? '', 'hex'),
    k: BigInt(plan.level),
    p: piecesIn(info),
    s: Buffer.from(sha256, 'hex'),
    t: Buffer.from(plan.tip, 'hex'),
    x: segments.map((segment, index) => [
      Buffer.from(plan.segments[index]?.tip ?? '', 'hex'),
      BigInt(segment.objectCount),
      BigInt(segment.commitCount),
      BigInt(segment.length),
      Buffer.from(segment.sha256, 'hex'),
    ]),
  })
}

/** Reads and checks an answer. @throws HelperError 'chain-malformed'; NetError and EngineError on malformed parts */
export function decodeChainAnswer(bytes: Uint8Array, format: ObjectFormat, levelOf: LevelOf): ChainClaim[] {
  const answer = asDict(decodeBencode(bytes))
  const chains = asList(answer?.get('c'))
  if (!isVersion(answer?.get('v')) || chains === null || chains.length > CHAIN_COUNT_MAX) {
    throw malformed(`an answer of version 1 with at most ${CHAIN_COUNT_MAX} chains`)
  }
  return chains.map((chain) => decodeChain(chain, format, levelOf))
}

/** The snapshots of an answer, newest first. @throws HelperError 'chain-malformed'; EngineError on malformed parts */
export function decodeSnapshots(bytes: Uint8Array, format: ObjectFormat, levelOf: LevelOf): DescribedSnapshot[] {
  const offered = asDict(decodeBencode(bytes))?.get('n')
  const values = offered === undefined ? [] : asList(offered)
  if (values === null || values.length > SNAPSHOT_COUNT_MAX) {
    throw malformed(`at most ${SNAPSHOT_COUNT_MAX} snapshots`)
  }
  return values.map((value) => decodeSnapshot(value, format, levelOf))
}

function decodeSnapshot(value: Bencode, format: ObjectFormat, levelOf: LevelOf): DescribedSnapshot {
  const [commitValue, objects, payloadLength, hash, pieceHashes] = asList(value) ?? []
  const commit = decodeOid(commitValue, format)
  const objectCount = asInteger(objects, 1, OBJECT_COUNT_MAX)
  const lengthBytes = asInteger(payloadLength, 1, LINK_LENGTH_MAX)
  if (objectCount === null || lengthBytes === null) throw malformed('a count and a length within their bounds')
  requireSnapshotCheckpoint(commit, levelOf)
  const described = describePayload(snapshotName(commit), lengthBytes, piecesOf(pieceHashes))
  return { commit, objectCount, lengthBytes, sha256: decodeHash(hash), ...described }
}

function decodeChain(value: Bencode, format: ObjectFormat, levelOf: LevelOf): ChainClaim {
  const dict = asDict(value)
  const ref = Buffer.from(asBytes(dict?.get('r'), 1, REF_NAME_LENGTH_MAX) ?? []).toString('utf8')
  const tip = decodeOid(dict?.get('t'), format)
  const values = asList(dict?.get('l')) ?? []
  if (values.length > LINK_COUNT_MAX) throw malformed(`a chain of at most ${LINK_COUNT_MAX} links`)
  const pack = asInteger(dict?.get('g'), 0, CHAIN_COUNT_MAX) ?? 0
  return checkedChain({ ref, tip, pack, links: values.map((link) => decodeLink(link, format, levelOf)) })
}

function decodeLink(value: Bencode, format: ObjectFormat, levelOf: LevelOf): LinkClaim {
  const dict = asDict(value)
  const level = asInteger(dict?.get('k'), 1, LINK_COUNT_MAX)
  const values = asList(dict?.get('x'))
  if (level === null || values === null || values.length > SEGMENT_COUNT_MAX) {
    throw malformed(`a link of at most ${SEGMENT_COUNT_MAX} segments`)
  }
  const facts = {
    tip: decodeOid(dict?.get('t'), format),
    base: decodeBase(dict?.get('b'), format),
    level,
    sha256: decodeHash(dict?.get('s')),
    segments: values.map((segment) => decodeSegment(segment, format)),
  }
  const link = checkedLink(facts, format, levelOf)
  return { ...link, ...describePayload(linkName(link.tip, link.base), link.layout.length, piecesOf(dict?.get('p'))) }
}

function decodeSegment(value: Bencode, format: ObjectFormat): SegmentFacts {
  const [tip, objects, commits, bodyLength, hash] = asList(value) ?? []
  const objectCount = asInteger(objects, 1, OBJECT_COUNT_MAX)
  const commitCount = asInteger(commits, 1, OBJECT_COUNT_MAX)
  const length = asInteger(bodyLength, 1, LINK_LENGTH_MAX)
  if (objectCount === null || commitCount === null || length === null) throw malformed('counts within their bounds')
  return { tip: decodeOid(tip, format), objectCount, commitCount, length, sha256: decodeHash(hash) }
}

function piecesOf(value: Bencode | undefined): Uint8Array {
  return asBytes(value, 0, PIECE_HASHES_LENGTH_MAX) ?? new Uint8Array(0)
}

function decodeOid(value: Bencode | undefined, format: ObjectFormat): Oid {
  const length = hashLengthOf(format)
  return parseOid(Buffer.from(asBytes(value, length, length) ?? []).toString('hex'), format)
}

function decodeBase(value: Bencode | undefined, format: ObjectFormat): Oid | null {
  return asBytes(value, 0, 0) === null ? decodeOid(value, format) : null
}

function decodeHash(value: Bencode | undefined): string {
  const bytes = asBytes(value, 32, 32)
  if (bytes === null) throw malformed('a SHA-256')
  return Buffer.from(bytes).toString('hex')
}

function malformed(expected: string): HelperError {
  return new HelperError('chain-malformed', `chain answer: expected ${expected}, got something else`)
}
