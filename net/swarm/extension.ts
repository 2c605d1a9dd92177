/**
 * The extension handshake of a swarm (BEP 10) and the answers to questions for its info dictionary (BEP 9), so that a
 * stock program can join by a magnet link. We ask nobody for metadata: ours comes from the embedding room.
 * Our own keys: `gt1w` = 1 says "I want certain pieces only", and a source shows all it has at once; `gt1h` says which `have`s may come
 * late or not at all (haves.ts), which saves most of the small messages of a crowd.
 */
import { asDict, asInteger, type Bencode, bencodeDict, concatBytes, decodeBencode, encodeBencode } from '../bencode.ts'
import { NetError } from '../errors.ts'
import { BLOCK_REQUEST_COUNT_MAX } from '../limits.ts'
import type { HaveNeed } from './haves.ts'
import { BLOCK_LENGTH } from './wire-messages.ts'

/** Extension number of the handshake itself. */
export const EXTENDED_HANDSHAKE = 0
/** Under this number we want questions for metadata. */
export const METADATA_ID = 1

const ASKING = 0n
const BRINGING = 1n
const REFUSING = 2n

/** By the number in `gt1h`; absent is 0. */
const HAVE_NEEDS: readonly HaveNeed[] = ['all', 'lacking', 'all-late']

/** What a peer said of itself; null where it did not say, or nonsense. */
export interface ExtendedHello {
  readonly metadataId: number | null
  readonly requestCountMax: number | null
  readonly wantsSome: boolean
  readonly haveNeed: HaveNeed
}

/** @param infoLength bytes of the info dictionary */
export function encodeHello(infoLength: number, wantsSome: boolean, haveNeed: HaveNeed): Uint8Array {
  const hello: Record<string, Bencode> = {
    m: bencodeDict({ ut_metadata: BigInt(METADATA_ID) }),
    metadata_size: BigInt(infoLength),
    reqq: BigInt(BLOCK_REQUEST_COUNT_MAX),
  }
  if (wantsSome) hello.gt1w = 1n
  if (haveNeed !== 'all') hello.gt1h = BigInt(HAVE_NEEDS.indexOf(haveNeed))
  return encodeBencode(bencodeDict(hello))
}

/** Reads a handshake. @throws NetError message-malformed, message-limit */
export function decodeHello(payload: Uint8Array): ExtendedHello {
  const dict = asDict(decodeBencode(payload, { canonical: false }))
  if (dict === null) throw new NetError('message-malformed', 'extension handshake: expected a dictionary')
  return {
    metadataId: asInteger(asDict(dict.get('m'))?.get('ut_metadata'), 1, 255),
    requestCountMax: asInteger(dict.get('reqq'), 1, 0xffff),
    wantsSome: asInteger(dict.get('gt1w'), 1, 1) !== null,
    haveNeed: HAVE_NEEDS[asInteger(dict.get('gt1h'), 1, 2) ?? 0] ?? 'all',
  }
}

/** The answer to a question for metadata, null for what is no question. @throws NetError message-malformed */
export function answerMetadata(payload: Uint8Array, info: Uint8Array): Uint8Array | null {
  const question = asDict(decodeBencode(payload, { canonical: false }))
  if (asInteger(question?.get('msg_type'), Number(ASKING), Number(ASKING)) === null) return null
  const pieceMax = Math.ceil(info.length / BLOCK_LENGTH) - 1
  const piece = asInteger(question?.get('piece'), 0, Number.MAX_SAFE_INTEGER)
  if (piece === null) throw new NetError('message-malformed', 'metadata: expected the number of a piece')
  if (piece > pieceMax) return encodeBencode(bencodeDict({ msg_type: REFUSING, piece: BigInt(piece) }))
  const head = bencodeDict({ msg_type: BRINGING, piece: BigInt(piece), total_size: BigInt(info.length) })
  return concatBytes([encodeBencode(head), info.subarray(piece * BLOCK_LENGTH, (piece + 1) * BLOCK_LENGTH)])
}
