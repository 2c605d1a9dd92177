/**
 * The .torrent file of a payload (BEP 3, announce-list of BEP 12, url-list of BEP 19). Everything but the info dict is
 * outside the infohash, so whoever exports the same link with other trackers makes the same swarm. No dates, no comments:
 * the same input gives the same bytes.
 */

import { asBytes, asDict, bencodeDict, decodeBencode, encodeBencode } from '../../net/index.ts'

/** Key of the record of a link's segments (manifest-segments.ts). */
const RECORD_KEY = 'gittorrent segments'

export interface TorrentSurroundings {
  readonly trackers: readonly string[]
  /** URLs of the payload itself. */
  readonly webseeds: readonly string[]
}

/** What belongs around the info dict of a payload in a folder that will be at `urls`. */
export function surroundingsOf(
  name: string,
  { urls, trackers }: { readonly urls: readonly string[]; readonly trackers: readonly string[] },
): TorrentSurroundings {
  const webseeds = urls.filter((url) => !url.startsWith('file:')).map((url) => `${url}${name}`)
  return { trackers, webseeds }
}

/** The bytes of the file; `info` is the bencoded info dict and gets in unchanged; `record` is null for none. */
export function encodeTorrentFile(
  info: Uint8Array,
  { trackers, webseeds }: TorrentSurroundings,
  record: Uint8Array | null,
): Uint8Array {
  const [first] = trackers
  return encodeBencode(
    bencodeDict({
      ...(first === undefined ? {} : { announce: Buffer.from(first) }),
      ...(trackers.length < 2 ? {} : { 'announce-list': trackers.map((tracker) => [Buffer.from(tracker)]) }),
      ...(record === null ? {} : { [RECORD_KEY]: record }),
      info: decodeBencode(info),
      ...(webseeds.length === 0 ? {} : { 'url-list': webseeds.map((url) => Buffer.from(url)) }),
    }),
  )
}

/** The record of segments in a .torrent file, null if there is none. @throws NetError */
export function recordIn(file: Uint8Array): Uint8Array | null {
  return asBytes(asDict(decodeBencode(file))?.get(RECORD_KEY), 1, file.length)
}

/** The piece hashes in a bencoded info dict, joined. */
export function piecesIn(info: Uint8Array): Uint8Array {
  return asBytes(asDict(decodeBencode(info))?.get('pieces'), 0, info.length) ?? new Uint8Array(0)
}
