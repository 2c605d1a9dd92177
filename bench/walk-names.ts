/**
 * The domain of the walk, as a process in a namespace: `walk-names <host> <domain> <key> <folder>` serves
 * https://<domain>/.well-known/gittorrent on port 443 with the certificate in the folder, and, unless a real name server does it
 * (`no-dns` as fifth argument), the domain's address and TXT record on port 53. A line `key <digits>` on stdin makes the web
 * server name another key, which it confirms by `named`.
 */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { serveNames } from './name-server.ts'

const [host = '', domain = '', key = '', folder = '', dns = ''] = process.argv.slice(2)
let named = key

const options = { key: readFileSync(join(folder, 'site.key')), cert: readFileSync(join(folder, 'site.pem')) }
const server = createServer(options, (request, response) => {
  response.writeHead(request.url === '/.well-known/gittorrent' ? 200 : 404)
  response.end(`# who publishes here\ngittorrent=${named}\n`)
})
server.listen(443, host, async () => {
  if (dns !== 'no-dns') {
    const zone = {
      records: { [`_gittorrent.${domain}`]: [`gittorrent=${key}`] },
      addresses: { [domain]: host },
      isAuthenticated: false,
      isTruncated: false,
    }
    await serveNames(() => zone, host, 53)
  }
  process.stdout.write('ready\n')
})

createInterface({ input: process.stdin }).on('line', (line) => {
  named = /^key ([0-9a-f]+)$/.exec(line)?.[1] ?? named
  process.stdout.write('named\n')
})
