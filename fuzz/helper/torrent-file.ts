/**
 * Fuzz target of the .torrent files beside a manifest: the info dict, and the record of segments. Only the errors of the rooms may come
 * out; an info dict that is taken in has the infohash that was claimed.
 */

import { createHash } from 'node:crypto'
import { EngineError, encodeInfo, linkName, parseOid, pieceLengthOf } from '../../engine/index.ts'
import { HelperError } from '../../helper/errors.ts'
import { decodeSegments, encodeSegments } from '../../helper/export/manifest-segments.ts'
import { encodeTorrentFile, recordIn } from '../../helper/export/torrent-file.ts'
import { checkedInfo } from '../../helper/share/webseed/torrent-info.ts'
import { NetError } from '../../net/index.ts'
import { BENCODE_WORDS } from '../driver/seeds.ts'

const TIP = parseOid('12'.repeat(20), 'sha1')
const LENGTH = 40_000
const NAME = linkName(TIP, null)
const PIECE_LENGTH = pieceLengthOf(LENGTH)
const PIECES = Buffer.alloc(20 * Math.ceil(LENGTH / PIECE_LENGTH), 3)
const INFO = encodeInfo({ name: NAME, length: LENGTH, pieceLength: PIECE_LENGTH, pieces: PIECES })
const INFOHASH = createHash('sha1').update(INFO).digest()

export function fuzz(bytes: Uint8Array): void {
  for (const read of [readRecord, readInfo]) {
    try {
      read(bytes)
    } catch (error) {
      if (!(error instanceof HelperError || error instanceof NetError || error instanceof EngineError)) throw error
    }
  }
}

function readRecord(bytes: Uint8Array): void {
  const record = recordIn(bytes)
  if (record === null) return
  const segments = decodeSegments(record, 'sha1')
  if (!segments.every(({ length, objectCount }) => length >= 1 && objectCount >= 1))
    throw new Error('a number that is none')
  if (!Buffer.from(encodeSegments(segments)).equals(record)) throw new Error('a record in another form')
}

function readInfo(bytes: Uint8Array): void {
  const info = checkedInfo(bytes, { name: NAME, lengthBytes: LENGTH, infohash: INFOHASH })
  if (!createHash('sha1').update(info).digest().equals(INFOHASH)) throw new Error('another torrent')
}

export function seeds(): Uint8Array[] {
  const segment = { tip: TIP, objectCount: 300, commitCount: 7, length: 700, sha256: 'ab'.repeat(32) }
  const around = { trackers: ['udp://t.example:80'], webseeds: [`https://w.example/${NAME}`] }
  return [encodeSegments([segment, segment]), null].map((record) => encodeTorrentFile(INFO, around, record))
}

export const dictionary = [...BENCODE_WORDS, '4:info', '6:pieces', '19:gittorrent segments', '\x80', '\xff']
