/**
 * Fuzz target of the refs document, up to 128 MiB of which a stranger may deliver. Only HelperError may come out; there is one way to
 * write each content, so what is taken in is written again as it was.
 */
import { HelperError } from '../../helper/errors.ts'
import { decodeDocument, encodeDocument, type RefsDocument } from '../../helper/publish/refs-document.ts'

export function fuzz(bytes: Uint8Array): void {
  let document: RefsDocument
  try {
    document = decodeDocument(bytes)
  } catch (error) {
    if (error instanceof HelperError) return
    throw error
  }
  if (Buffer.compare(encodeDocument(document), bytes) !== 0) throw new Error('another way to write it')
}

export function seeds(): Uint8Array[] {
  const oid = 'a'.repeat(40)
  const refs = [
    { name: 'refs/heads/main', oid, seq: 1_795_000_000 },
    { name: 'refs/heads/old', oid: null, seq: 0 },
    { name: 'refs/tags/v1', oid, seq: 9_007_199_254_740_991 },
  ]
  const shared = { publisher: 'b'.repeat(64), repository: 'project' }
  return [
    encodeDocument({ ...shared, objectFormat: 'sha1', head: 'refs/heads/main', refs }),
    encodeDocument({ ...shared, objectFormat: 'sha256', head: null, refs: [] }),
  ]
}

export const dictionary = [
  '\n',
  '\n\n',
  ' ',
  'refs/heads/',
  'refs/tags/',
  'head ',
  'sha256',
  '0'.repeat(40),
  '\xff',
  '..',
  '.lock',
]
