/**
 * Fuzz target of what git and the origin say in a fetch: the request, with wants and haves added, the acknowledgments
 * with some taken out, lines of ls-refs and `list`. Lines of the input become packets. Nothing may be thrown, and what is
 * written is again packets.
 */

import { acknowledgmentFilter } from '../../helper/remote/acknowledgments.ts'
import { commandOf, encodeWith, parseFetchRequest } from '../../helper/remote/fetch-request.ts'
import { encodePacket, type Packet, type PacketKind } from '../../helper/remote/pkt-line.ts'
import { RefMemory } from '../../helper/remote/ref-memory.ts'

const OID = 'a'.repeat(40)
const SPECIAL: ReadonlyMap<string, PacketKind> = new Map([
  ['0000', 'flush'],
  ['0001', 'delimiter'],
  ['0002', 'end'],
])

export function fuzz(bytes: Uint8Array): void {
  const lines = Buffer.from(bytes).toString('latin1').split('\n')
  const packets = lines.map(packetOf)
  commandOf(packets)
  const request = parseFetchRequest(packets)
  const written = encodeWith(packets, { wants: [OID], haves: [OID] }).toString('latin1')
  const added = `0032want ${OID}\n0032have ${OID}\n`
  if (packets.some(({ kind }) => kind === 'flush') && !written.includes(added))
    throw new Error('lines that were not added')
  if (request.wants.length + request.haves.length > lines.length) throw new Error('more lines than there were')
  const filter = acknowledgmentFilter(new Set([OID]))
  const passed = packets.flatMap((packet) => [...filter(packet)]).map((raw) => raw.toString('latin1', 4))
  if (lines[0] === 'acknowledgments' && !lines.some((line) => SPECIAL.has(line)) && passed.includes(`ACK ${OID}\n`))
    throw new Error('an acknowledgment that was to be taken out')
  const memory = new RefMemory()
  for (const line of lines) {
    memory.noteLsRefs(line)
    memory.noteList(line)
  }
}

function packetOf(line: string): Packet {
  const kind = SPECIAL.get(line)
  if (kind !== undefined) return { kind, raw: Buffer.from(line), payload: Buffer.alloc(0) }
  const payload = Buffer.from(`${line}\n`, 'latin1')
  return { kind: 'data', raw: encodePacket(payload), payload }
}

export function seeds(): Uint8Array[] {
  return [
    `command=fetch\nobject-format=sha1\n0001\nthin-pack\ninclude-tag\nwant ${OID}\nhave ${OID}\ndone\n0000`,
    `command=fetch\n0001\nwant-ref refs/heads/main\nshallow ${OID}\ndeepen 1\nfilter blob:none\nwait-for-done\n0000`,
    `acknowledgments\nACK ${OID}\nACK ${'b'.repeat(40)}\nready\n0001\npackfile`,
    `acknowledgments\nNAK\n0000`,
    `${OID} HEAD symref-target:refs/heads/main\n${OID} refs/tags/v1 peeled:${OID}\n@refs/heads/main HEAD\n? refs/x`,
  ].map((text) => Buffer.from(text))
}

export const dictionary = [
  '\n0000\n',
  '\n0001\n',
  'want ',
  'have ',
  'ACK ',
  'NAK',
  'ready',
  'done\n',
  OID,
  'peeled:',
  '@',
  'HEAD',
]
