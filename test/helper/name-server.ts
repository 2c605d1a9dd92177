/**
 * A DNS server for TXT records and an HTTPS server with a certificate of its own, both real, on loopback.
 */
import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer as createHttpsServer } from 'node:https'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'

export interface Zone {
  /** Texts by name; a name without entry does not exist. */
  readonly records: Readonly<Record<string, readonly string[]>>
  /** The AD flag of answers. */
  readonly isAuthenticated: boolean
  /** Datagrams carry no records and say that they are cut off. */
  readonly isTruncated: boolean
}

function answerTo(query: Buffer, zone: Zone, isDatagram: boolean): Buffer {
  let at = 12
  const labels: string[] = []
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  const texts = zone.records[labels.join('.').toLowerCase()]
  const isCut = isDatagram && zone.isTruncated
  const header = Buffer.from(query.subarray(0, 12))
  header.writeUInt16BE(
    0x8180 | (zone.isAuthenticated ? 0x20 : 0) | (isCut ? 0x200 : 0) | (texts === undefined ? 3 : 0),
    2,
  )
  header.writeUInt16BE(isCut ? 0 : (texts?.length ?? 0), 6)
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
  return Buffer.concat([header, query.subarray(12, at + 5), ...records])
}

/** Serves `zone()` over UDP and TCP on one port; returns host:port. */
export async function openNameServer(t: TestContext, zone: () => Zone): Promise<string> {
  const tcp = createServer((socket) => {
    socket.on('data', (bytes: Uint8Array) => {
      const answer = answerTo(Buffer.from(bytes).subarray(2), zone(), false)
      socket.end(Buffer.concat([Buffer.from([answer.length >> 8, answer.length & 0xff]), answer]))
    })
    socket.on('error', () => {})
  }).listen(0, '127.0.0.1')
  await once(tcp, 'listening')
  const address = tcp.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  const udp = createSocket('udp4')
  udp.on('message', (bytes, from) => udp.send(answerTo(Buffer.from(bytes), zone(), true), from.port, from.address))
  udp.bind(port, '127.0.0.1')
  await once(udp, 'listening')
  t.after(() => {
    tcp.close()
    udp.close()
  })
  return `127.0.0.1:${port}`
}

export interface WebSite {
  readonly port: number
  /** PEM file of the certificate. */
  readonly caFile: string
  /** What is answered next. */
  answer: { status: number; text: string; location?: string }
}

/** An HTTPS server for `domain` with a self-signed certificate in `folder`. */
export async function openWebSite(t: TestContext, domain: string, folder: string): Promise<WebSite> {
  const [keyFile, caFile] = [join(folder, 'site.key'), join(folder, 'site.pem')]
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  await promisify(execFile)('openssl', [
    ...args,
    '-keyout',
    keyFile,
    '-out',
    caFile,
    '-subj',
    `/CN=${domain}`,
    '-addext',
    `subjectAltName=DNS:${domain}`,
  ])
  const options = { key: await readFile(keyFile), cert: await readFile(caFile) }
  const server = createHttpsServer(options, (request, response) => {
    const { status, text, location } = site.answer
    const isAsked = request.url === '/.well-known/gittorrent' && request.headers.host === domain
    response.writeHead(isAsked ? status : 400, location === undefined ? {} : { location })
    response.end(text)
  }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const address = server.address()
  const site: WebSite = {
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    caFile,
    answer: { status: 404, text: '' },
  }
  return site
}
