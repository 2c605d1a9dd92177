/**
 * The guard in front of the DHT libraries (BEP 5, BEP 44): turns an untrusted datagram into one that holds only known
 * fields of the right type and length, or into null. k-rpc-socket and bittorrent-dht call methods on whatever they are
 * given, so that an integer where a byte string is due ends the process; behind this filter they never meet one.
 * Node lists and peer lists lose the addresses that their sender has no business naming (private ones from public nodes).
 */
import { type AddressClass, classOfHost, expandAddress, mayHearOf } from './address.ts'
import {
  asBytes,
  asDict,
  asInteger,
  asList,
  type Bencode,
  type BencodeDict,
  bencodeDict,
  concatBytes,
  decodeBencode,
  encodeBencode,
  latin1,
} from './bencode.ts'
import { NetError } from './errors.ts'
import {
  DHT_DATAGRAM_LENGTH_MAX,
  DHT_REASON_LENGTH_MAX,
  DHT_SALT_LENGTH_MAX,
  DHT_TOKEN_LENGTH_MAX,
  DHT_TRANSACTION_LENGTH_MAX,
  DHT_VALUE_LENGTH_MAX,
  LOOKUP_ADDRESS_COUNT_MAX,
} from './limits.ts'

/** Bytes of a node's id, and of what is looked up. */
export const ID_LENGTH = 20
const NODE_LENGTH = 26
const PEER_LENGTH = 6
const SEQ_MAX = Number.MAX_SAFE_INTEGER
/** Key of a query whose sender is not there to be asked (BEP 43). */
const READ_ONLY = 'ro'

type Field = (value: Bencode | undefined, sender: AddressClass) => Bencode | null

const bytesOf =
  (min: number, max: number): Field =>
  (value) =>
    asBytes(value, min, max)
const integerOf =
  (min: number, max: number): Field =>
  (value) =>
    asInteger(value, min, max) === null ? null : (value ?? null)

const id = bytesOf(ID_LENGTH, ID_LENGTH)
const token = bytesOf(1, DHT_TOKEN_LENGTH_MAX)
const value = bytesOf(1, DHT_VALUE_LENGTH_MAX)
const item = {
  k: bytesOf(32, 32),
  sig: bytesOf(64, 64),
  seq: integerOf(0, SEQ_MAX),
  cas: integerOf(0, SEQ_MAX),
  salt: bytesOf(1, DHT_SALT_LENGTH_MAX),
}

/** Fields of each query: [needed, allowed]. */
const QUERIES: Readonly<Record<string, readonly [Record<string, Field>, Record<string, Field>]>> = {
  ping: [{ id }, {}],
  find_node: [{ id, target: id }, {}],
  get_peers: [{ id, info_hash: id }, {}],
  announce_peer: [
    { id, info_hash: id, token },
    { port: integerOf(1, 65535), implied_port: integerOf(0, 1) },
  ],
  get: [{ id, target: id }, { seq: item.seq }],
  put: [{ id, token, v: value }, item],
}

const REPLY_NEEDED: Record<string, Field> = { id }
const REPLY_ALLOWED: Record<string, Field> = {
  token,
  nodes: filterNodes,
  values: filterValues,
  v: value,
  k: item.k,
  sig: item.sig,
  seq: item.seq,
}

function filterNodes(list: Bencode | undefined, sender: AddressClass): Bencode | null {
  const bytes = asBytes(list, 0, DHT_DATAGRAM_LENGTH_MAX)
  if (bytes === null || bytes.length % NODE_LENGTH !== 0) return null
  const kept: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += NODE_LENGTH) {
    const node = bytes.subarray(at, at + NODE_LENGTH)
    const address = expandAddress(node.subarray(ID_LENGTH))
    if (address !== null && mayHearOf(sender, classOfHost(address.host))) kept.push(node)
  }
  return concatBytes(kept)
}

function filterValues(list: Bencode | undefined, sender: AddressClass): Bencode | null {
  const values = asList(list)
  if (values === null) return null
  const kept: Uint8Array[] = []
  for (const entry of values.slice(0, LOOKUP_ADDRESS_COUNT_MAX)) {
    const bytes = asBytes(entry, PEER_LENGTH, PEER_LENGTH)
    const address = bytes === null ? null : expandAddress(bytes)
    if (bytes !== null && address !== null && mayHearOf(sender, classOfHost(address.host))) kept.push(bytes)
  }
  return kept
}

function pick(
  from: BencodeDict,
  needed: Record<string, Field>,
  allowed: Record<string, Field>,
  sender: AddressClass,
): BencodeDict | null {
  const fields: Record<string, Bencode> = {}
  for (const [name, field] of [...Object.entries(needed), ...Object.entries(allowed)]) {
    if (!from.has(name)) {
      if (name in needed) return null
      continue
    }
    const kept = field(from.get(name), sender)
    if (kept === null) return null
    fields[name] = kept
  }
  return bencodeDict(fields)
}

function cleanQuery(
  message: BencodeDict,
  sender: AddressClass,
  receiver: Receiver | null,
): Record<string, Bencode> | null {
  const name = asBytes(message.get('q'), 1, 16)
  const args = asDict(message.get('a'))
  if (name === null || args === null) return null
  const text = latin1(name)
  const shape = Object.hasOwn(QUERIES, text) ? QUERIES[text] : undefined
  const a = shape === undefined ? null : pick(args, shape[0], shape[1], sender)
  if (a === null) return null
  // A mutable put is signed as a whole or not at all (BEP 44).
  const signed = ['k', 'sig', 'seq'].filter((key) => a.has(key)).length
  if (text === 'put' && signed !== 0 && signed !== 3) return null
  const isReadOnly = asInteger(message.get(READ_ONLY), 1, 1) !== null
  return { q: name, a: isReadOnly && receiver !== null ? new Map([...a, ['id', receiver.id]]) : a }
}

function cleanReply(message: BencodeDict, sender: AddressClass): Record<string, Bencode> | null {
  const reply = asDict(message.get('r'))
  const r = reply === null ? null : pick(reply, REPLY_NEEDED, REPLY_ALLOWED, sender)
  if (r === null) return null
  const signed = ['k', 'sig'].filter((key) => r.has(key)).length
  return signed === 1 ? null : { r }
}

function cleanError(message: BencodeDict): Record<string, Bencode> {
  const list = asList(message.get('e')) ?? []
  const code = asInteger(list[0], 0, 999) ?? 0
  const reason = asBytes(list[1], 0, DHT_REASON_LENGTH_MAX) ?? new Uint8Array(0)
  return { e: [BigInt(code), reason] }
}

/** Who receives a datagram. */
export interface Receiver {
  /** 20 bytes */
  readonly id: Uint8Array
  /** It asks, but is not there to be asked (BEP 43). */
  readonly isReadOnly: boolean
}

/**
 * The known fields of a DHT message, encoded again; null for anything that is not one, and for what `receiver` does not hear.
 * A query of a read-only node (BEP 43) comes out with the receiver's own id: the only one that the library answers without
 * taking the asker into its table, where it would soon be one of those that do not answer.
 * @param sender class of the address that it came from
 */
export function cleanDatagram(
  bytes: Uint8Array,
  sender: AddressClass,
  receiver: Receiver | null = null,
): Uint8Array | null {
  if (bytes.length > DHT_DATAGRAM_LENGTH_MAX) return null
  const message = decodeDict(bytes)
  const t = asBytes(message?.get('t'), 1, DHT_TRANSACTION_LENGTH_MAX)
  const y = asBytes(message?.get('y'), 1, 1)
  if (message === null || t === null || y === null) return null
  const type = latin1(y)
  if (type === 'q' && receiver?.isReadOnly === true) return null
  const body =
    type === 'q'
      ? cleanQuery(message, sender, receiver)
      : type === 'r'
        ? cleanReply(message, sender)
        : type === 'e'
          ? cleanError(message)
          : null
  return body === null ? null : encodeBencode(bencodeDict({ t, y, ...body }))
}

/** A query of ours, saying that we are not there to be asked (BEP 43); other messages as they are. */
export function markReadOnly(bytes: Uint8Array): Uint8Array {
  const message = decodeDict(bytes)
  const isQuery = message !== null && latin1(asBytes(message.get('y'), 1, 1) ?? new Uint8Array(0)) === 'q'
  return isQuery ? encodeBencode(new Map([...message, [READ_ONLY, 1n]])) : bytes
}

function decodeDict(bytes: Uint8Array): BencodeDict | null {
  try {
    return asDict(decodeBencode(bytes, { canonical: false }))
  } catch (error) {
    if (error instanceof NetError) return null
    throw error
  }
}
