/**
 * The values of a publisher's records (BEP 44 items): profile, repository, succession. Canonical bencoding, at most 995
 * bytes; PUBLISHING.md fixes every key. Signatures, targets and seq are the net room's and judge.ts's.
 * The profile has the fields of the original GitTorrent's: name, email, repositories with name and refs, refs with name and sha1.
 */
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
} from '../../net/index.ts'
import { HelperError } from '../errors.ts'
import { REF_NAME_LENGTH_MAX, REMEMBERED_REF_COUNT_MAX } from '../limits.ts'
import { DELEGATE_COUNT_MAX, RECORD_LENGTH_MAX, REFS_DOCUMENT_LENGTH_MAX } from './limits.ts'

export interface Delegate {
  /** Public key, 64 hexadecimal digits. */
  readonly key: string
  /** Unix seconds after which it may not write any more. */
  readonly expires: number
  /** Full ref names, or beginnings of them that end in `/*`. */
  readonly patterns: readonly string[]
}

export interface RepositoryRecord {
  readonly type: 'repository'
  readonly name: string
  /** Id of the publisher whose repository it is, in a delegate's record; null in the publisher's own. */
  readonly onBehalfOf: string | null
  readonly objectFormat: 'sha1' | 'sha256'
  /** Bytes of the objects where the record was signed, packed as they were there; null where it does not say. */
  readonly objectsLength: number | null
  /** SHA-256 of the refs document, hexadecimal. */
  readonly documentHash: string
  readonly documentLength: number
  readonly refCount: number
  /** Unix seconds. */
  readonly expires: number
  readonly delegates: readonly Delegate[]
}

export interface ProfileRepository {
  readonly name: string
  readonly refs: readonly { readonly name: string; readonly oid: string }[]
}

export interface ProfileRecord {
  readonly type: 'profile'
  readonly name: string
  readonly email: string
  readonly repositories: readonly ProfileRepository[]
  /** Repositories that did not fit. */
  readonly leftOutCount: number
  readonly expires: number
  /** Commitment to the next key: target of its succession record and SHA-256 of the key, 104 hexadecimal digits. */
  readonly next: string | null
}

export interface SuccessionRecord {
  readonly type: 'succession'
  /** The public key that is succeeded. */
  readonly from: string
  readonly reason: 'rotated' | 'revoked'
  readonly expires: number
}

export type PublisherRecord = RepositoryRecord | ProfileRecord | SuccessionRecord

const VERSION = 1n
const UNIX_TIME_MAX = 2 ** 40

const text = (value: string): Uint8Array => Buffer.from(value, 'utf8')
const raw = (hex: string): Uint8Array => Buffer.from(hex, 'hex')

/** The value of a record. @throws HelperError 'limit' if it has more than 995 bytes */
export function encodeRecord(record: PublisherRecord): Uint8Array {
  const bytes = encodeBencode(dictOf(record))
  if (bytes.length <= RECORD_LENGTH_MAX) return bytes
  throw new HelperError(
    'limit',
    `record of type ${record.type}: expected at most ${RECORD_LENGTH_MAX} bytes, got ${bytes.length}, try fewer delegates or patterns`,
  )
}

/** The same with as many refs, then repositories, as fit; the rest is counted. */
export function encodeProfile(profile: ProfileRecord): Uint8Array {
  const fits = (candidate: ProfileRecord): boolean => encodeBencode(dictOf(candidate)).length <= RECORD_LENGTH_MAX
  if (fits(profile)) return encodeRecord(profile)
  const bare = profile.repositories.map(({ name }) => ({ name, refs: [] }))
  // A name costs 20 bytes with what is around it.
  let count = Math.min(bare.length, Math.floor(RECORD_LENGTH_MAX / 20))
  const withCount = (kept: number): ProfileRecord => ({
    ...profile,
    repositories: bare.slice(0, kept),
    leftOutCount: bare.length - kept,
  })
  while (count > 0 && !fits(withCount(count))) count--
  return encodeRecord(withCount(count))
}

function dictOf(record: PublisherRecord): BencodeDict {
  const shared = { t: text(record.type), v: VERSION, x: BigInt(record.expires) }
  switch (record.type) {
    case 'repository':
      return bencodeDict({
        ...shared,
        b: record.onBehalfOf === null ? undefined : raw(record.onBehalfOf),
        c: BigInt(record.refCount),
        d: raw(record.documentHash),
        f: text(record.objectFormat),
        g: record.delegates.length === 0 ? undefined : record.delegates.map(delegateList),
        l: BigInt(record.documentLength),
        n: text(record.name),
        o: record.objectsLength === null ? undefined : BigInt(record.objectsLength),
      })
    case 'profile':
      return bencodeDict({
        ...shared,
        email: text(record.email),
        left: record.leftOutCount === 0 ? undefined : BigInt(record.leftOutCount),
        name: text(record.name),
        next: record.next === null ? undefined : raw(record.next),
        repositories: record.repositories.map(({ name, refs }) =>
          bencodeDict({
            name: text(name),
            refs: refs.map((ref) => bencodeDict({ name: text(ref.name), sha1: raw(ref.oid) })),
          }),
        ),
      })
    case 'succession':
      return bencodeDict({ ...shared, from: raw(record.from), why: text(record.reason) })
  }
}

function delegateList({ key, expires, patterns }: Delegate): Bencode {
  return [raw(key), BigInt(expires), ...patterns.map(text)]
}

/** Reads a value. Unknown keys are ignored. @throws HelperError 'record-malformed' */
export function decodeRecord(value: Uint8Array): PublisherRecord {
  let dict: BencodeDict | null
  try {
    dict = asDict(decodeBencode(value))
  } catch (error) {
    if (error instanceof NetError) throw malformed('canonical bencoding', error)
    throw error
  }
  if (dict === null || (asInteger(dict.get('v'), 1, Number.MAX_SAFE_INTEGER) ?? 0) < 1) throw malformed('version 1')
  const expires = need(asInteger(dict.get('x'), 0, UNIX_TIME_MAX), 'an expiry')
  const type = textOf(dict.get('t'), 16)
  if (type === 'repository') return readRepository(dict, expires)
  if (type === 'profile') return readProfile(dict, expires)
  if (type !== 'succession') throw malformed('a known type')
  const reason = textOf(dict.get('why'), 16) === 'revoked' ? 'revoked' : 'rotated'
  return { type, from: hexOf(dict.get('from'), 32), reason, expires }
}

function readRepository(dict: BencodeDict, expires: number): RepositoryRecord {
  const format = textOf(dict.get('f'), 16)
  if (format !== 'sha1' && format !== 'sha256') throw malformed('an object format')
  const delegates = dict.has('g') ? need(asList(dict.get('g')), 'a list of delegates') : []
  if (delegates.length > DELEGATE_COUNT_MAX) throw malformed(`at most ${DELEGATE_COUNT_MAX} delegates`)
  return {
    type: 'repository',
    name: textOf(dict.get('n'), 64),
    onBehalfOf: dict.has('b') ? hexOf(dict.get('b'), 20) : null,
    objectFormat: format,
    objectsLength: dict.has('o') ? need(asInteger(dict.get('o'), 0, Number.MAX_SAFE_INTEGER), 'a size') : null,
    documentHash: hexOf(dict.get('d'), 32),
    documentLength: need(asInteger(dict.get('l'), 0, REFS_DOCUMENT_LENGTH_MAX), 'a length within bounds'),
    refCount: need(asInteger(dict.get('c'), 0, REMEMBERED_REF_COUNT_MAX), 'a count within bounds'),
    expires,
    delegates: delegates.map(readDelegate),
  }
}

function readDelegate(value: Bencode): Delegate {
  const [key, expires, ...patterns] = need(asList(value), 'a delegate')
  return {
    key: hexOf(key, 32),
    expires: need(asInteger(expires, 0, UNIX_TIME_MAX), 'the expiry of a delegate'),
    patterns: patterns.map((pattern) => textOf(pattern, RECORD_LENGTH_MAX)),
  }
}

function readProfile(dict: BencodeDict, expires: number): ProfileRecord {
  const repositories = need(asList(dict.get('repositories')), 'repositories').map((value) => {
    const repository = need(asDict(value), 'a repository')
    const refs = need(asList(repository.get('refs')), 'refs').map((entry) => {
      const ref = need(asDict(entry), 'a ref')
      const oid = need(asBytes(ref.get('sha1'), 20, 32), 'an oid')
      return { name: textOf(ref.get('name'), REF_NAME_LENGTH_MAX), oid: Buffer.from(oid).toString('hex') }
    })
    return { name: textOf(repository.get('name'), 64), refs }
  })
  return {
    type: 'profile',
    name: textOf(dict.get('name'), RECORD_LENGTH_MAX),
    email: textOf(dict.get('email'), RECORD_LENGTH_MAX),
    repositories,
    leftOutCount: dict.has('left') ? need(asInteger(dict.get('left'), 0, UNIX_TIME_MAX), 'a count') : 0,
    expires,
    next: dict.has('next') ? hexOf(dict.get('next'), 52) : null,
  }
}

function textOf(value: Bencode | undefined, lengthMax: number): string {
  return Buffer.from(need(asBytes(value, 0, lengthMax), 'a text')).toString('utf8')
}

function hexOf(value: Bencode | undefined, length: number): string {
  return Buffer.from(need(asBytes(value, length, length), `${length} bytes`)).toString('hex')
}

function need<T>(value: T | null, what: string): T {
  if (value === null) throw malformed(what)
  return value
}

function malformed(expected: string, cause?: unknown): HelperError {
  return new HelperError('record-malformed', `record: expected ${expected}, got something else`, {}, cause)
}
