/**
 * Asks the origin which of some commits it has: one round of negotiation that sends no pack (gitprotocol-v2, "fetch" with
 * wait-for-done; git 2.32 or newer). A stranger's chain proves that it is the history of its top, not that anybody wants that one:
 * without this question an endless history of something else would have to come before the origin is asked.
 */
import { HelperError, printable } from '../errors.ts'
import type { ByteReader } from './byte-reader.ts'
import { encodePacket, type Packet, readPacket, textOf } from './pkt-line.ts'

/** True for the line of a capability advertisement that offers rounds without a pack. */
export function offersRounds(line: string): boolean {
  return line.startsWith('fetch=') && line.slice('fetch='.length).split(' ').includes('wait-for-done')
}

/** @param want an object that the origin has advertised */
export function encodeKnownRequest(want: string, oids: readonly string[]): Buffer {
  const format = want.length === 64 ? [encodePacket('object-format=sha256\n')] : []
  const haves = oids.map((oid) => encodePacket(`have ${oid}\n`))
  return Buffer.concat([
    ...[encodePacket('command=fetch\n'), ...format, Buffer.from('0001')],
    ...[encodePacket('wait-for-done\n'), encodePacket(`want ${want}\n`), ...haves, Buffer.from('0000')],
  ])
}

/**
 * The commits that the origin has. Reads the whole answer, so that the next request finds the stream in order even when it throws.
 * @throws HelperError 'origin-protocol'
 */
export async function readKnownAnswer(reader: ByteReader, last: Packet['kind']): Promise<ReadonlySet<string>> {
  const lines: string[] = []
  for (let packet = await readPacket(reader); packet?.kind !== last; packet = await readPacket(reader)) {
    if (packet === null) throw malformed('the end of the connection')
    if (packet.kind === 'data') lines.push(textOf(packet))
  }
  const [head, ...acknowledgments] = lines
  const strange = head === 'acknowledgments' ? acknowledgments.find((line) => !/^(ACK |NAK$)/.test(line)) : (head ?? '')
  if (strange !== undefined) throw malformed(`'${printable(strange)}'`)
  return new Set(acknowledgments.flatMap((line) => line.split(' ')[1] ?? []))
}

function malformed(got: string): HelperError {
  return new HelperError('origin-protocol', `negotiation: expected acknowledgments, got ${got}`)
}
