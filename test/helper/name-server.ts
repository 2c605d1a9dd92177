/**
 * A DNS server for TXT records and an HTTPS server with a certificate of its own, both real, on loopback.
 */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer as createHttpsServer } from 'node:https'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { serveNames, type Zone } from '../../bench/name-server.ts'

/** Serves `zone()` over UDP and TCP on one port, until the test ends; returns host:port. */
export async function openNameServer(t: TestContext, zone: () => Zone): Promise<string> {
  const { address, close } = await serveNames(zone, '127.0.0.1', 0)
  t.after(close)
  return address
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
