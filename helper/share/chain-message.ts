/**
 * The payloads of the `chain` question (net/PROTOCOL.md carries them, helper gives them meaning): which chains a peer
 * offers. Bencoded, canonical, bounded. An answer is a claim: what arithmetic can check is checked here (levels, lengths,
 * infohash against the piece hashes), everything else by git once the bytes are there.
 *
 *   question {f: object format, v: 1}
 *   answer   {c: [chain], n: [snapshot], v: 1}        chain    {l: [link], r: ref name, t: tip}
 *   link     {b: base or "", k: level, p: piece hashes, s: SHA-256, t: tip, x: [segment]}     newest link first
 *   segment  [tip, object count, commit count, body length, SHA-256]                          oldest first
 *   snapshot [commit, object count, payload length, SHA-256, piece hashes]                    newest first; `n` may be absent
 */

import { createHash } from 'node:crypto'
import {
  encodeInfo,
  GT1,
  hashLengthOf,
  infohashOf,
  type LevelOf,
  type LinkLayout,
  layOutLink,
  linkName,
  type ObjectFormat,
  type Oid,
  parseOid,
  pieceLengthOf,
  type SegmentPlan,
  snapshotName,
} from '../../engine/index.ts'
import {
  asBytes,
  asDict,
  asInteger,
  asList,
  type Bencode,
  bencodeDict,
  decodeBencode,
  encodeBencode,
} from '../../net/index.ts'
import type { Chain } from '../build/chains.ts'
import type { LinkFile } from '../build/link-file.ts'
import type { SnapshotFile } from '../build/snapshots.ts'
import { HelperError } from '../errors.ts'
import {
  CHAIN_COUNT_MAX,
  LINK_COUNT_MAX,
  LINK_LENGTH_MAX,
  OBJECT_COUNT_MAX,
  REF_NAME_LENGTH_MAX,
  SEGMENT_COUNT_MAX,
  SNAPSHOT_COUNT_MAX,
} from '../limits.ts'

export const CHAIN_KIND = 'chain'
const VERSION = 1

export interface SegmentClaim {
  readonly plan: SegmentPlan
  readonly objectCount: number
  readonly commitCount: number
  /** Bytes of the body. */
  readonly length: number
  /** SHA-256 of the body, hex. */
  readonly sha256: string
}

export interface LinkClaim {
  readonly tip: Oid
  readonly base: Oid | null
  /** Oldest first. */
  readonly segments: readonly SegmentClaim[]
  readonly layout: LinkLayout
  /** SHA-256 of the payload, hex. */
  readonly sha256: string
  readonly info: Uint8Array
  readonly infohash: Uint8Array
  readonly pieceLengthBytes: number
}

export interface ChainClaim {
  /** Full ref name in the origin. */
  readonly ref: string
  readonly tip: Oid
  /** Newest first; each one's base is the next one's tip. */
  readonly links: readonly LinkClaim[]
}

export function encodeChainQuestion(format: ObjectFormat): Uint8Array {
  return encodeBencode(bencodeDict({ f: Buffer.from(format), v: BigInt(VERSION) }))
}

/** Object format that is asked for. @throws HelperError 'chain-malformed' */
export function decodeChainQuestion(bytes: Uint8Array): ObjectFormat {
  const question = asDict(decodeBencode(bytes))
  const format = Buffer.from(asBytes(question?.get('f'), 1, 16) ?? []).toString('latin1')
  if (asInteger(question?.get('v'), VERSION, VERSION) === null || (format !== 'sha1' && format !== 'sha256')) {
    throw malformed('a question of version 1')
  }
  return format
}

/** The snapshot of a commit, as a peer offers it. */
export interface SnapshotClaim {
  readonly commit: Oid
  readonly objectCount: number
  readonly lengthBytes: number
  /** SHA-256 of the payload, hex. */
  readonly sha256: string
  readonly info: Uint8Array
  readonly infohash: Uint8Array
  readonly pieceLengthBytes: number
}

export function encodeChainAnswer(
  chains: readonly (Pick<Chain, 'tip' | 'links'> & { readonly ref: string })[],
  snapshots: readonly SnapshotFile[] = [],
): Uint8Array {
  const encoded = chains.map(({ ref, tip, links }) =>
    bencodeDict({ l: links.map(encodeLink), r: Buffer.from(ref), t: Buffer.from(tip, 'hex') }),
  )
  const offered =
    snapshots.length === 0
      ? {}
      : {
          n: snapshots
            .slice(0, SNAPSHOT_COUNT_MAX)
            .map((snapshot) => encodeSnapshot(snapshot, piecesOf(snapshot.info))),
        }
  return encodeBencode(bencodeDict({ c: encoded, ...offered, v: BigInt(VERSION) }))
}

/** A snapshot as an answer has it; `pieces` are its piece hashes. */
export function encodeSnapshot(
  {
    commit,
    objectCount,
    lengthBytes,
    sha256,
  }: { commit: string; objectCount: number; lengthBytes: number; sha256: string },
  pieces: Uint8Array,
): Bencode {
  return [Buffer.from(commit, 'hex'), BigInt(objectCount), BigInt(lengthBytes), Buffer.from(sha256, 'hex'), pieces]
}

function piecesOf(info: Uint8Array): Uint8Array {
  return asBytes(asDict(decodeBencode(info))?.get('pieces'), 0, info.length) ?? new Uint8Array(0)
}

function encodeLink({ plan, segments, sha256, info }: LinkFile): Bencode {
  return bencodeDict({
    b: Buffer.from(plan.base ?? '', 'hex'),
    k: BigInt(plan.level),
    p: piecesOf(info),
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
  if (asInteger(answer?.get('v'), VERSION, VERSION) === null || chains === null || chains.length > CHAIN_COUNT_MAX) {
    throw malformed(`an answer of version 1 with at most ${CHAIN_COUNT_MAX} chains`)
  }
  return chains.map((chain) => decodeChain(chain, format, levelOf))
}

/** The snapshots of an answer, newest first. @throws HelperError 'chain-malformed'; EngineError on malformed parts */
export function decodeSnapshots(bytes: Uint8Array, format: ObjectFormat, levelOf: LevelOf): SnapshotClaim[] {
  const offered = asDict(decodeBencode(bytes))?.get('n')
  const values = offered === undefined ? [] : asList(offered)
  if (values === null || values.length > SNAPSHOT_COUNT_MAX) {
    throw malformed(`at most ${SNAPSHOT_COUNT_MAX} snapshots`)
  }
  return values.map((value) => decodeSnapshot(value, format, levelOf))
}

function decodeSnapshot(value: Bencode, format: ObjectFormat, levelOf: LevelOf): SnapshotClaim {
  const [commitValue, objects, payloadLength, hash, pieceHashes] = asList(value) ?? []
  const commit = decodeOid(commitValue, format)
  if ((levelOf(commit) ?? -1) < GT1.snapshotLevel) throw malformed(`a checkpoint with a snapshot, got commit ${commit}`)
  const objectCount = asInteger(objects, 1, OBJECT_COUNT_MAX)
  const lengthBytes = asInteger(payloadLength, 1, LINK_LENGTH_MAX)
  if (objectCount === null || lengthBytes === null) throw malformed('a count and a length within their bounds')
  const described = describePayload(snapshotName(commit), lengthBytes, pieceHashes)
  return { commit, objectCount, lengthBytes, sha256: decodeHash(hash), ...described }
}

/** Info dict and infohash of a payload that is claimed. */
function describePayload(name: string, length: number, pieceHashes: Bencode | undefined) {
  const pieceLengthBytes = pieceLengthOf(length)
  const piecesLength = Math.ceil(length / pieceLengthBytes) * 20
  const pieces = asBytes(pieceHashes, piecesLength, piecesLength)
  if (pieces === null) throw malformed(`${piecesLength} bytes of piece hashes`)
  const info = encodeInfo({ name, length, pieceLength: pieceLengthBytes, pieces })
  const infohash = infohashOf(info, (bytes) => createHash('sha1').update(bytes).digest())
  return { info, infohash, pieceLengthBytes }
}

function decodeChain(value: Bencode, format: ObjectFormat, levelOf: LevelOf): ChainClaim {
  const dict = asDict(value)
  const ref = Buffer.from(asBytes(dict?.get('r'), 1, REF_NAME_LENGTH_MAX) ?? []).toString('utf8')
  const tip = decodeOid(dict?.get('t'), format)
  const values = asList(dict?.get('l'))
  if (!ref.startsWith('refs/') || values === null || values.length === 0 || values.length > LINK_COUNT_MAX) {
    throw malformed(`a chain of 1 to ${LINK_COUNT_MAX} links`)
  }
  const links = values.map((link) => decodeLink(link, format, levelOf))
  links.forEach((link, index) => {
    const next = links[index + 1]
    if (next !== undefined && link.base !== next.tip) throw malformed('links that join')
  })
  return { ref, tip, links }
}

function decodeLink(value: Bencode, format: ObjectFormat, levelOf: LevelOf): LinkClaim {
  const dict = asDict(value)
  const tip = decodeOid(dict?.get('t'), format)
  const base = decodeBase(dict?.get('b'), format)
  const level = asInteger(dict?.get('k'), 1, LINK_COUNT_MAX)
  const sha256 = decodeHash(dict?.get('s'))
  const values = asList(dict?.get('x'))
  if (level === null || values === null || values.length === 0 || values.length > SEGMENT_COUNT_MAX) {
    throw malformed(`a link of 1 to ${SEGMENT_COUNT_MAX} segments`)
  }
  if (tip === base) throw malformed('a link with two different ends')
  const isCoarse = level > GT1.coarseLevel
  const segments: SegmentClaim[] = []
  for (const segment of values) {
    const olderTip = segments[segments.length - 1]?.plan.tip ?? base
    segments.push(decodeSegment(segment, format, isCoarse, olderTip, levelOf))
  }
  if (segments[segments.length - 1]?.plan.tip !== tip) throw malformed('segments that end at the tip of their link')
  const layout = layOutLink({ tip, base }, format, segments)
  if (layout.length > LINK_LENGTH_MAX) throw malformed(`a link of at most ${LINK_LENGTH_MAX} bytes`)
  const described = describePayload(linkName(tip, base), layout.length, dict?.get('p'))
  return { tip, base, segments, layout, sha256, ...described }
}

function decodeSegment(
  value: Bencode,
  format: ObjectFormat,
  isCoarse: boolean,
  base: Oid | null,
  levelOf: LevelOf,
): SegmentClaim {
  const [tipValue, objects, commits, bodyLength, hash] = asList(value) ?? []
  const tip = decodeOid(tipValue, format)
  const level = levelOf(tip)
  if (level === null || (isCoarse && level < GT1.coarseLevel)) throw malformed(`a checkpoint, got commit ${tip}`)
  const objectCount = asInteger(objects, 1, OBJECT_COUNT_MAX)
  const commitCount = asInteger(commits, 1, OBJECT_COUNT_MAX)
  const length = asInteger(bodyLength, 1, LINK_LENGTH_MAX)
  if (objectCount === null || commitCount === null || length === null) throw malformed('counts within their bounds')
  const plan = { grain: isCoarse ? ('coarse' as const) : ('fine' as const), tip, base }
  return { plan, objectCount, commitCount, length, sha256: decodeHash(hash) }
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
