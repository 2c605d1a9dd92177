/**
 * Fuzz target of what the relay changes in an origin's fetch answer: acknowledgments, shallow-info, both in bands too. The first byte
 * says what is changed. Only HelperError may come out; what is passed on is packets, and where nothing has to be changed
 * it is the answer as it came.
 */

import { Readable } from 'node:stream'
import { HelperError } from '../../helper/errors.ts'
import { acknowledgmentFilter } from '../../helper/remote/acknowledgments.ts'
import { ByteReader } from '../../helper/remote/byte-reader.ts'
import { type Packet, readPacket } from '../../helper/remote/pkt-line.ts'
import { ShallowInfoFilter } from '../../helper/remote/shallow-info.ts'
import { type Change, inBands } from '../../helper/remote/sideband-all.ts'

const OID = 'a'.repeat(40)
const OTHER = 'b'.repeat(40)

export async function fuzz(bytes: Uint8Array): Promise<void> {
  const [choice = 0] = bytes
  const answer = await packetsOf(bytes.subarray(1))
  const isChanged = (choice & 1) !== 0
  const acknowledgments = acknowledgmentFilter(new Set(isChanged ? [OID] : []))
  const unshallows = new Set(isChanged ? [OTHER] : [])
  const mayBeBoundary = (count: number): boolean => count < 2
  const filter = new ShallowInfoFilter({ snapshot: isChanged ? OID : null, mayBeBoundary, unshallows })
  const shallow: Change = (packet) => filter.pass(packet)
  const chosen = (choice & 2) !== 0 ? acknowledgments : shallow
  const change = (choice & 4) !== 0 ? inBands(chosen) : chosen
  const passed = Buffer.concat(answer.flatMap((packet) => [...change(packet)]))
  const again = await packetsOf(passed)
  if (Buffer.concat(again.map(({ raw }) => raw)).length !== passed.length)
    throw new Error('something that is no packet')
  const isNakNeeded = (choice & 2) !== 0
  if (!isChanged && !isNakNeeded && !passed.equals(Buffer.concat(answer.map(({ raw }) => raw))))
    throw new Error('an answer changed for nothing')
}

/** The packets up to where the bytes are none. */
async function packetsOf(bytes: Uint8Array): Promise<Packet[]> {
  const reader = new ByteReader(Readable.from([Buffer.from(bytes)]))
  const packets: Packet[] = []
  try {
    for (let packet = await readPacket(reader); packet !== null; packet = await readPacket(reader)) packets.push(packet)
  } catch (error) {
    if (!(error instanceof HelperError)) throw error
  }
  return packets
}

function line(text: string): string {
  return (text.length + 4).toString(16).padStart(4, '0') + text
}

export function seeds(): Uint8Array[] {
  const acks = line('acknowledgments\n') + line(`ACK ${OID}\n`) + line(`ACK ${OTHER}\n`) + line('ready\n')
  const shallow = line('shallow-info\n') + line(`shallow ${OID}\n`) + line(`unshallow ${OTHER}\n`)
  const pack = `${line('packfile\n')}${line('\x02progress\n')}${line('\x01PACK')}0000`
  const banded = line(`\x01${'shallow-info\n'}`) + line(`\x01shallow ${OTHER}\n`) + line('\x02progress\n')
  const answers = [
    `${acks}0001${pack}`,
    `${shallow}0001${pack}`,
    `${acks}0000`,
    `${banded}0001${line('\x01packfile\n')}`,
  ]
  return answers.flatMap((answer) =>
    Array.from({ length: 8 }, (_, choice) => Buffer.concat([Buffer.of(choice), Buffer.from(answer, 'latin1')])),
  )
}

export const dictionary = ['0000', '0001', '0002', line('acknowledgments\n'), line('packfile\n'), line(`ACK ${OID}\n`)]
