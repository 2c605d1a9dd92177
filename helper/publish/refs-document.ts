/**
 * The refs document: every ref of a published repository with the moment of its last change. A record holds its SHA-256
 * and length, so its bytes are as good as signed, and anybody may deliver them. Text, one way to write each content:
 *
 *   gittorrent refs 1 LF  publisher <64 hex> LF  repository <name> LF  object-format <sha1 or sha256> LF
 *   head <ref name> LF (if HEAD names one)  LF  then per ref, ascending by the bytes of its name: <oid> SP <seq> SP <ref name> LF
 *
 * An oid of zeros says that the ref was deleted. `seq` is that of the record that changed the ref; it decides between
 * maintainers (merge-refs.ts).
 */
import { HelperError, printable } from '../errors.ts'
import { REF_NAME_LENGTH_MAX } from '../limits.ts'
import { REFS_DOCUMENT_LENGTH_MAX } from './limits.ts'

export interface PublishedRef {
  /** Full name. */
  readonly name: string
  /** Null: deleted. */
  readonly oid: string | null
  readonly seq: number
}

export interface RefsDocument {
  /** Public key of who wrote it, 64 hexadecimal digits. */
  readonly publisher: string
  readonly repository: string
  readonly objectFormat: 'sha1' | 'sha256'
  /** What HEAD points at, null for none. */
  readonly head: string | null
  /** Ascending by name. */
  readonly refs: readonly PublishedRef[]
}

const FIRST_LINE = 'gittorrent refs 1'

/** Order of names by their bytes in UTF-8. */
export function compareNames(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** The bytes of a document. @throws HelperError 'limit' */
export function encodeDocument(document: RefsDocument): Uint8Array {
  const zeros = '0'.repeat(document.objectFormat === 'sha1' ? 40 : 64)
  const refs = [...document.refs].sort((a, b) => compareNames(a.name, b.name))
  const lines = [
    FIRST_LINE,
    `publisher ${document.publisher}`,
    `repository ${document.repository}`,
    `object-format ${document.objectFormat}`,
    ...(document.head === null ? [] : [`head ${document.head}`]),
    '',
    ...refs.map(({ name, oid, seq }) => `${oid ?? zeros} ${seq} ${name}`),
  ]
  const bytes = Buffer.from(`${lines.join('\n')}\n`)
  if (bytes.length <= REFS_DOCUMENT_LENGTH_MAX) return bytes
  throw new HelperError('limit', `refs: expected at most ${REFS_DOCUMENT_LENGTH_MAX} bytes, got ${bytes.length}`)
}

/** Reads a document; only the one way to write it is taken. @throws HelperError 'record-malformed' */
export function decodeDocument(bytes: Uint8Array): RefsDocument {
  const text = textOf(bytes)
  const end = text.indexOf('\n\n')
  const head =
    /^gittorrent refs 1\npublisher ([0-9a-f]{64})\nrepository ([A-Za-z0-9._/-]{1,58})\nobject-format (sha1|sha256)(?:\nhead ([^\n]+))?$/
  const match = head.exec(text.slice(0, Math.max(0, end)))
  if (match === null || !text.endsWith('\n')) throw malformed('its first lines')
  const [, publisher = '', repository = '', format, headRef] = match
  const objectFormat = format === 'sha256' ? 'sha256' : 'sha1'
  if (headRef !== undefined && !isRefName(headRef)) throw malformed('a ref name behind head')
  const refs: PublishedRef[] = []
  let previous = ''
  for (const line of text
    .slice(end + 2)
    .split('\n')
    .slice(0, -1)) {
    const ref = readLine(line, objectFormat)
    if (previous !== '' && compareNames(previous, ref.name) >= 0) throw malformed('ascending names')
    previous = ref.name
    refs.push(ref)
  }
  return { publisher, repository, objectFormat, head: headRef ?? null, refs }
}

/** Bytes that are no UTF-8 would be read as if they were something else, and be written differently. */
function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw malformed('UTF-8')
  }
}

function readLine(line: string, objectFormat: 'sha1' | 'sha256'): PublishedRef {
  const match = /^([0-9a-f]{40}|[0-9a-f]{64}) (0|[1-9]\d{0,15}) (.+)$/.exec(line)
  const [, oid = '', seq, name = ''] = match ?? []
  const isOid = oid.length === (objectFormat === 'sha1' ? 40 : 64)
  if (!isOid || !isRefName(name) || !Number.isSafeInteger(Number(seq)))
    throw malformed(`a ref, not '${printable(line)}'`)
  return { name, oid: /^0+$/.test(oid) ? null : oid, seq: Number(seq) }
}

/** What git takes as a branch or tag (git-check-ref-format), and nothing of other namespaces. */
export function isRefName(name: string): boolean {
  if (!/^refs\/(heads|tags)\/./.test(name) || Buffer.byteLength(name) > REF_NAME_LENGTH_MAX) return false
  if (/[\u0000- \u007f~^:?*[\\\ufffd]|\.\.|@\{|\/\/|\/$|\.$/.test(name)) return false
  return !name.split('/').some((part) => part.startsWith('.') || part.startsWith('-') || part.endsWith('.lock'))
}

function malformed(expected: string): HelperError {
  return new HelperError('record-malformed', `refs document: expected ${expected}`)
}
