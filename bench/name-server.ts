/**
 * A DNS server for TXT records and IPv4 addresses, over UDP and TCP: real datagrams, nothing else real. For tests, and for the
 * walk where no other name server is installed.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

export interface Zone {
  /** Texts by name; a name without entry does not exist. */
  readonly records: Readonly<Record<string, readonly string[]>>
  /** The AD flag of answers. */
  readonly isAuthenticated: boolean
  /** Datagrams carry no records and say that they are cut off. */
  readonly isTruncated: boolean
  /** IPv4 addresses by name, for whoever asks the system's resolver. */
  readonly addresses?: Readonly<Record<string, string>>
}

const TYPE_A = 1

function answerTo(query: Buffer, zone: Zone, isDatagram: boolean): Buffer {
  let at = 12
  const labels: string[] = []
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  const name = labels.join('.').toLowerCase()
  const type = query.readUInt16BE(at + 1)
  const address = zone.addresses?.[name]
  const texts = address === undefined ? zone.records[name] : []
  const isCut = isDatagram && zone.isTruncated
  const header = Buffer.from(query.subarray(0, 12))
  header.writeUInt16BE(
    0x8180 | (zone.isAuthenticated ? 0x20 : 0) | (isCut ? 0x200 : 0) | (texts === undefined ? 3 : 0),
    2,
  )
  const isAddress = type === TYPE_A && address !== undefined
  header.writeUInt16BE(isCut ? 0 : isAddress ? 1 : (texts?.length ?? 0), 6)
  header.writeUInt16BE(0, 10)
  const records = (isCut ? [] : (texts ?? [])).map((text) => {
    // Character strings of up to 255 bytes each.
    const strings = (text.match(/.{1,255}/gs) ?? ['']).map((part) =>
      Buffer.concat([Buffer.from([part.length]), Buffer.from(part, 'latin1')]),
    )
    const rdata = Buffer.concat(strings)
    return Buffer.concat([
      Buffer.from([0xc0, 12, 0, 16, 0, 1, 0, 0, 0x0e, 0x10, rdata.length >> 8, rdata.length & 0xff]),
      rdata,
    ])
  })
  if (isAddress && !isCut) {
    const bytes = Buffer.from(address.split('.').map(Number))
    records.push(Buffer.concat([Buffer.from([0xc0, 12, 0, TYPE_A, 0, 1, 0, 0, 0x0e, 0x10, 0, 4]), bytes]))
  }
  return Buffer.concat([header, query.subarray(12, at + 5), ...records])
}

/** Serves `zone()` over UDP and TCP on one port (0 for any) until it is closed; the address is host:port. */
export async function serveNames(
  zone: () => Zone,
  host: string,
  wantedPort: number,
): Promise<{ address: string; close: () => void }> {
  const tcp = createServer((socket) => {
    socket.on('data', (bytes: Uint8Array) => {
      const answer = answerTo(Buffer.from(bytes).subarray(2), zone(), false)
      socket.end(Buffer.concat([Buffer.from([answer.length >> 8, answer.length & 0xff]), answer]))
    })
    socket.on('error', () => {})
  }).listen(wantedPort, host)
  await once(tcp, 'listening')
  const address = tcp.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  const udp = createSocket('udp4')
  udp.on('message', (bytes, from) => udp.send(answerTo(Buffer.from(bytes), zone(), true), from.port, from.address))
  udp.bind(port, host)
  await once(udp, 'listening')
  const close = (): void => {
    tcp.close()
    udp.close()
  }
  return { address: `${host}:${port}`, close }
}
