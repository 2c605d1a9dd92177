/**
 * Fuzz target of refs documents. Only HelperError may come out; a document has one way to be written, so that what is read is
 * written in the same bytes.
 */

import { HelperError } from '../../helper/errors.ts'
import { decodeDocument, encodeDocument, isRefName } from '../../helper/publish/refs-document.ts'

export function fuzz(bytes: Uint8Array): void {
  try {
    const document = decodeDocument(bytes)
    if (!document.refs.every(({ name }) => isRefName(name))) throw new Error('a name that is none')
    if (Buffer.compare(encodeDocument(document), bytes) !== 0) throw new Error('two ways to write a document')
  } catch (error) {
    if (!(error instanceof HelperError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  const refs = [
    { name: 'refs/heads/main', oid: '12'.repeat(20), seq: 7 },
    { name: 'refs/tags/v1', oid: null, seq: 9 },
  ]
  const shared = { publisher: 'ab'.repeat(32), repository: 'project' }
  return [
    encodeDocument({ ...shared, objectFormat: 'sha1', head: 'refs/heads/main', refs }),
    encodeDocument({ ...shared, objectFormat: 'sha256', head: null, refs: [] }),
  ]
}

export const dictionary = [
  '\n',
  '\n\n',
  'head ',
  'refs/heads/',
  'refs/tags/',
  ' 0 ',
  '..',
  '.lock',
  'object-format sha256',
]
