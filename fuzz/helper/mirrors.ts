/**
 * Fuzz target of refs/mirrors/: the answer with a blob, and the lists in it; the first byte says of which kind. Only HelperError may come
 * out; what a list names are few URLs, of the protocols of its kind, and repositories without credentials.
 */

import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { deflateSync } from 'node:zlib'
import { MIRROR_KINDS } from '../../helper/config.ts'
import { HelperError } from '../../helper/errors.ts'
import { WEBSEED_COUNT_MAX } from '../../helper/limits.ts'
import { ByteReader } from '../../helper/remote/byte-reader.ts'
import { MIRROR_BLOB_LENGTH_MAX } from '../../helper/remote/limits.ts'
import { NO_MIRRORS, readBlobAnswer, withList } from '../../helper/remote/mirrors.ts'
import { encodePacket } from '../../helper/remote/pkt-line.ts'

const BLOB = Buffer.from('https://w.example/p/manifest.json\n')
const OID = createHash('sha1').update(`blob ${BLOB.length}\0`).update(BLOB).digest('hex')

export async function fuzz(bytes: Uint8Array): Promise<void> {
  const kind = MIRROR_KINDS[(bytes[0] ?? 0) % MIRROR_KINDS.length] ?? 'bundle/http'
  const rest = Buffer.from(bytes.subarray(1))
  const { manifests, repositories } = withList(NO_MIRRORS, kind, rest)
  const isWeb = (url: string): boolean => /^https?:$/.test(new URL(url).protocol)
  if (manifests.length + repositories.length > WEBSEED_COUNT_MAX) throw new Error('too many')
  if (!manifests.every((url) => isWeb(url) && new URL(url).pathname.endsWith('/manifest.json')))
    throw new Error('no manifest')
  for (const { protocol, username, password } of repositories.map((url) => new URL(url)))
    if (username + password !== '' || !/^(git|https?):$/.test(protocol)) throw new Error('no repository')
  try {
    const blob = await readBlobAnswer(new ByteReader(Readable.from([rest])), 'flush', OID)
    if (!BLOB.equals(blob)) throw new Error('another blob')
  } catch (error) {
    if (!(error instanceof HelperError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  const header = Buffer.concat([
    Buffer.from('PACK\0\0\0\x02\0\0\0\x01'),
    Buffer.of(0xb0 | (BLOB.length & 15), BLOB.length >> 4),
  ])
  const band = Buffer.concat([Buffer.of(1), header, deflateSync(BLOB), Buffer.alloc(20)])
  const packet = Buffer.concat([Buffer.from((band.length + 4).toString(16).padStart(4, '0')), band])
  const answer = Buffer.concat([Buffer.of(0), encodePacket('packfile\n'), packet, Buffer.from('0000')])
  const lists = [
    BLOB.toString(),
    'magnet:?ws=https%3A%2F%2Fw.example%2Fp%2Fgt1-x-root.bundle\n',
    'https://w.example/p/gt1-x-root.bundle.torrent\n',
    'git://w.example/p.git\n',
    'https://w.example/p.git\nhttps://user:secret@w.example/p.git\n',
  ]
  return [answer, ...lists.map((list, index) => Buffer.concat([Buffer.of(index), Buffer.from(list)]))]
}

export const dictionary = [
  'https://',
  'git://',
  'magnet:?ws=',
  '/manifest.json',
  '.bundle',
  '@',
  '\n',
  '0000',
  'packfile',
]

/** A blob is inflated into as much room as it may take. */
export const allocationLengthMax = 4 * MIRROR_BLOB_LENGTH_MAX
