/**
 * A question to the tunnel (kind `tip`): one `fetch` of git's protocol v2 (gitprotocol-v2), in pkt-lines, always with `done`.
 * The answerer reads it line by line, takes only the lines below, and writes them anew for git: nothing that an asker
 * sends reaches git as it came. There is no filter, no depth, no want-ref and no ls-refs: refs are signed, not asked for.
 */
import { Refusal } from '../../net/index.ts'
import { encodePacket } from '../remote/pkt-line.ts'
import { TIP_HAVE_COUNT_MAX, TIP_REQUEST_LENGTH_MAX, TIP_WANT_COUNT_MAX } from './limits.ts'

export interface TipRequest {
  readonly objectFormat: 'sha1' | 'sha256'
  /** 1 to 1500 oids. */
  readonly wants: readonly string[]
  /** At most 1000 oids. */
  readonly haves: readonly string[]
}

const FLUSH = Buffer.from('0000')
const DELIMITER = Buffer.from('0001')
const OPTIONS = ['thin-pack', 'ofs-delta', 'no-progress']

/** The bytes of a request; the same for the same wants and haves. */
export function encodeTipRequest({ objectFormat, wants, haves }: TipRequest): Uint8Array {
  const lines = [...OPTIONS, ...wants.map((oid) => `want ${oid}`), ...haves.map((oid) => `have ${oid}`), 'done']
  return Buffer.concat([
    encodePacket('command=fetch\n'),
    encodePacket(`object-format=${objectFormat}\n`),
    DELIMITER,
    ...lines.map((line) => encodePacket(`${line}\n`)),
    FLUSH,
  ])
}

/** Reads a request; only what encodeTipRequest writes is taken. @throws Refusal malformed */
export function decodeTipRequest(bytes: Uint8Array): TipRequest {
  if (bytes.length > TIP_REQUEST_LENGTH_MAX) throw new Refusal('malformed')
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  const wants = [...text.matchAll(/want ([0-9a-f]+)\n/g)].map(([, oid = '']) => oid)
  const haves = [...text.matchAll(/have ([0-9a-f]+)\n/g)].map(([, oid = '']) => oid)
  const objectFormat = text.includes('object-format=sha256\n') ? 'sha256' : 'sha1'
  const length = objectFormat === 'sha1' ? 40 : 64
  const request = { objectFormat, wants, haves } as const
  const isBounded = wants.length >= 1 && wants.length <= TIP_WANT_COUNT_MAX && haves.length <= TIP_HAVE_COUNT_MAX
  if (!isBounded || [...wants, ...haves].some((oid) => oid.length !== length)) throw new Refusal('malformed')
  // One way to write each request: what is not exactly that holds something else.
  if (Buffer.compare(encodeTipRequest(request), bytes) !== 0) throw new Refusal('malformed')
  return request
}
