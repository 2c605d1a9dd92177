/**
 * Fuzz target of what our own web server reads of a request: the path (first line) and the range (second line). Nothing may be
 * thrown; only known names are found, and a range lies inside the file.
 */

import { rangeIn } from '../../helper/web/byte-range.ts'
import { WebFolders } from '../../helper/web/web-folders.ts'

const TOPIC = 'ab'.repeat(20)
const LENGTH = 1000
const folders = new WebFolders()
folders.offer(TOPIC, folders, {
  content: {
    payloads: [],
    pages: [{ name: 'index.html', bytes: new Uint8Array(1) }],
    manifest: { name: 'manifest.json', bytes: new Uint8Array(2) },
  },
  onSent: () => {},
})

export function fuzz(bytes: Uint8Array): void {
  const [path = '', range = ''] = Buffer.from(bytes).toString('latin1').split('\n')
  const found = folders.find(path)
  const name = path.slice(TOPIC.length + 2)
  if (found !== null && (path !== `/${TOPIC}/${name}` || found.file.name !== (name === '' ? 'index.html' : name)))
    throw new Error('another file')
  const wanted = rangeIn(range, LENGTH)
  if (typeof wanted === 'object' && !(wanted.offset >= 0 && wanted.offset < wanted.end && wanted.end <= LENGTH))
    throw new Error('a range outside the file')
}

export function seeds(): Uint8Array[] {
  return [`/${TOPIC}/manifest.json\nbytes=0-9`, `/${TOPIC}/\nbytes=-5`, `/${TOPIC}/SHA256SUMS\nbytes=999-`].map(
    (text) => Buffer.from(text),
  )
}

export const dictionary = [TOPIC, '../', '%2e', '__proto__', 'manifest.json', '\n', 'bytes=', '-', '999', '1000']
