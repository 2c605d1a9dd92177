/**
 * The answer to a fetch (gitprotocol-v2) that needs no origin any more, because everything wanted came from elsewhere: a pack
 * without objects, as an origin sends it to somebody who has all.
 */

import { createHash } from 'node:crypto'
import { PACK_HEADER_LENGTH, writePackHeader } from '../../engine/index.ts'
import { encodePacket } from './pkt-line.ts'
import { banded } from './sideband-all.ts'

const BAND_PACK = 1

export interface AnswerShape {
  /** git does not negotiate any further, so there is no section with acknowledgments. */
  readonly isDone: boolean
  /** The answer ends as one of an inner helper. */
  readonly isStateless: boolean
  /** Every line is in a band. */
  readonly isBanded: boolean
}

/** The bytes of the answer. */
export function encodeEmptyAnswer(
  objectFormat: 'sha1' | 'sha256',
  { isDone, isStateless, isBanded }: AnswerShape,
): Buffer {
  const header = new Uint8Array(PACK_HEADER_LENGTH)
  writePackHeader(header, 0, 0)
  const trailer = createHash(objectFormat).update(header).digest()
  const pack = Buffer.concat([Uint8Array.of(BAND_PACK), header, trailer])
  const line = (text: string): Buffer => (isBanded ? banded(encodePacket(text)) : encodePacket(text))
  const ready = isDone ? [] : [line('acknowledgments\n'), line('ready\n'), Buffer.from('0001')]
  const end = Buffer.from(isStateless ? '00000002' : '0000')
  return Buffer.concat([...ready, line('packfile\n'), encodePacket(pack), end])
}
