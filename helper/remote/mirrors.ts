/**
 * refs/mirrors/* of an origin, as proposed on git's list in January 2011: refs to blobs that say where else the history can be
 * had. Read here: `bundle/http`, URLs one per line, of which those that end in manifest.json are exported folders. The
 * relay asks for the refs together with git's own listing, and for the blob over the connection that is open; the blob
 * is kept by its name, so that it is asked for again only when it changes.
 */

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inflateSync } from 'node:zlib'
import { HelperError } from '../errors.ts'
import { MANIFEST_NAME } from '../export/manifest.ts'
import { MIRROR_BLOB_LENGTH_MAX, URL_LENGTH_MAX, WEBSEED_COUNT_MAX } from '../limits.ts'
import { writeFileAtomically } from '../store/atomic-file.ts'
import type { OriginStream } from './origin-stream.ts'
import { encodePacket, type Packet, readPacket, textOf } from './pkt-line.ts'

export const MIRROR_PREFIX = 'refs/mirrors/'
export const MIRROR_HTTP_REF = 'refs/mirrors/bundle/http'

const PACK_HEADER_LENGTH = 12
const BLOB_TYPE = 3
const KEPT_NAME = 'mirrors'

/** Whether git itself asks for a ref under refs/mirrors/: then nothing is added, and nothing kept from it. */
export function asksForMirrors(request: readonly Packet[]): boolean {
  const prefixes = request.map(textOf).flatMap((line) => (line.startsWith('ref-prefix ') ? [line.slice(11)] : []))
  return (
    prefixes.length === 0 ||
    prefixes.some((prefix) => prefix.startsWith(MIRROR_PREFIX) || MIRROR_PREFIX.startsWith(prefix))
  )
}

/** An ls-refs request that also asks for the mirrors. */
export function withMirrorPrefix(request: readonly Packet[]): Buffer {
  const raw = request.map((packet) => packet.raw)
  return Buffer.concat([...raw.slice(0, -1), encodePacket(`ref-prefix ${MIRROR_HTTP_REF}\n`), ...raw.slice(-1)])
}

/** URLs of manifests in the blob, at most WEBSEED_COUNT_MAX. */
export function manifestUrlsIn(blob: Uint8Array): string[] {
  const lines = Buffer.from(blob).toString('utf8').split('\n')
  const urls = lines.filter((line) => {
    if (line.length > URL_LENGTH_MAX || /[\u0000-\u0020\u007f]/.test(line) || !URL.canParse(line)) return false
    const { protocol, pathname } = new URL(line)
    return /^https?:$/.test(protocol) && pathname.endsWith(`/${MANIFEST_NAME}`)
  })
  return urls.slice(0, WEBSEED_COUNT_MAX)
}

/** The blob from an earlier run, if it is this one; null otherwise. */
export async function keptMirrorBlob(gitDir: string, oid: string): Promise<Uint8Array | null> {
  const bytes = await readFile(join(gitDir, 'gittorrent', KEPT_NAME)).catch(() => null)
  return bytes !== null && oidOfBlob(bytes, oid.length) === oid ? bytes : null
}

export async function keepMirrorBlob(gitDir: string, blob: Uint8Array): Promise<void> {
  await writeFileAtomically(join(gitDir, 'gittorrent', KEPT_NAME), [blob])
}

/** The request that fetches one object and nothing else. */
export function encodeBlobRequest(oid: string): Buffer {
  const format = oid.length === 64 ? [encodePacket('object-format=sha256\n')] : []
  const head = [encodePacket('command=fetch\n'), ...format, Buffer.from('0001')]
  const wants = [encodePacket('no-progress\n'), encodePacket(`want ${oid}\n`), encodePacket('done\n')]
  return Buffer.concat([...head, ...wants, Buffer.from('0000')])
}

/**
 * Reads the whole answer to `encodeBlobRequest`, so that the next request finds the stream in order even when it throws.
 * @throws HelperError 'origin-protocol' when it is not that blob
 */
export async function readBlobAnswer(origin: OriginStream, oid: string, last: 'end' | 'flush'): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  let failure: HelperError | null = null
  let inPack = false
  for (;;) {
    const packet = await readPacket(origin.reader)
    if (packet === null) throw failure ?? malformed('a packfile', 'the end of the connection')
    if (packet.kind === last) break
    if (packet.kind !== 'data') continue
    const [band] = packet.payload
    if (inPack && band === 3) failure = malformed('a packfile', packet.payload.toString('utf8', 1))
    if (inPack && band === 1) {
      length += packet.payload.length
      if (length > MIRROR_BLOB_LENGTH_MAX) failure = malformed(`at most ${MIRROR_BLOB_LENGTH_MAX} bytes`, 'more')
      else parts.push(packet.payload.subarray(1))
    }
    inPack ||= textOf(packet) === 'packfile'
  }
  if (failure !== null) throw failure
  return blobIn(Buffer.concat(parts), oid)
}

/** The one blob of a pack, which its name proves to be the right one. */
function blobIn(pack: Uint8Array, oid: string): Uint8Array {
  let at = PACK_HEADER_LENGTH
  const type = ((pack[at] ?? 0) >> 4) & 7
  while (((pack[at++] ?? 0) & 0x80) !== 0);
  let blob: Uint8Array
  try {
    blob = inflateSync(pack.subarray(at), { maxOutputLength: MIRROR_BLOB_LENGTH_MAX })
  } catch (error) {
    throw malformed('a blob', `something that does not inflate (${String(error)})`)
  }
  if (type !== BLOB_TYPE || oidOfBlob(blob, oid.length) !== oid) throw malformed(`blob ${oid}`, 'something else')
  return blob
}

function oidOfBlob(bytes: Uint8Array, digits: number): string {
  const hash = createHash(digits === 64 ? 'sha256' : 'sha1')
  return hash.update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}

function malformed(expected: string, got: string): HelperError {
  return new HelperError('origin-protocol', `cannot read the mirrors of the origin: expected ${expected}, got ${got}`)
}
