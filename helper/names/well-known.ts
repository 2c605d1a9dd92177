/**
 * A name that a domain vouches for by its web server: https://<domain>/.well-known/gittorrent (RFC 8615), text, lines
 * that read `gittorrent=<40 or 64 digits>`. Certificates are checked as the system does, with git's http.sslCAInfo if it is set.
 * No redirects: another host cannot vouch for this one.
 */
import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import { HelperError } from '../errors.ts'
import { WELL_KNOWN_LENGTH_MAX, WELL_KNOWN_TIMEOUT_MS } from './limits.ts'

export interface WellKnownOptions {
  /** A file of PEM certificates to trust instead of the system's; null for none. */
  readonly caFile: string | null
  /** Where to connect instead of <domain>:443; the certificate must still be the domain's. */
  readonly connectTo?: { readonly host: string; readonly port: number } | undefined
  readonly signal: AbortSignal
}

/** The document, or null if the server says that there is none. @throws HelperError 'name-unresolved' */
export async function readWellKnown(domain: string, options: WellKnownOptions): Promise<string | null> {
  const { caFile, connectTo, signal } = options
  const ca = caFile === null ? {} : { ca: await readFile(caFile) }
  const where = connectTo ?? { host: domain, port: 443 }
  const path = '/.well-known/gittorrent'
  const url = `https://${domain}${path}`
  return new Promise((resolve, reject) => {
    const fail = (got: string, cause?: unknown): void =>
      reject(new HelperError('name-unresolved', `${url}: expected a text, got ${got}`, {}, cause))
    const asked = request(
      {
        ...where,
        path,
        servername: domain,
        headers: { host: domain },
        timeout: WELL_KNOWN_TIMEOUT_MS,
        signal,
        agent: false,
        ...ca,
      },
      (response) => {
        const parts: Uint8Array[] = []
        let length = 0
        response.on('data', (bytes: Uint8Array) => {
          length += bytes.length
          if (length <= WELL_KNOWN_LENGTH_MAX) parts.push(bytes)
          else asked.destroy(new Error(`more than ${WELL_KNOWN_LENGTH_MAX} bytes`))
        })
        response.on('error', (error) => fail(error.message, error))
        response.on('end', () => {
          if (response.statusCode === 404 || response.statusCode === 410) resolve(null)
          else if (response.statusCode === 200) resolve(Buffer.concat(parts).toString('utf8'))
          else fail(`status ${response.statusCode}`)
        })
      },
    )
    asked.on('timeout', () => asked.destroy(new Error('no answer in time')))
    asked.on('error', (error) => fail(error.message, error))
    asked.end()
  })
}
