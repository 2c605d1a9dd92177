/**
 * GET over HTTP(S) for web seeds: bytes of a file, from some offset on, with every wait bounded. Follows redirects itself, because
 * what a redirect may reach is decided here: from a public server only public addresses, checked after the name was
 * resolved; never from https to http; credentials stay with the origin of the URL that carried them.
 * Left out: proxies, cookies, compression (refused, because ranges and hashes are of the bytes as they are).
 */

import { lookup } from 'node:dns'
import { type IncomingMessage, Agent as PlainAgent, type RequestOptions, request as requestPlain } from 'node:http'
import { request as requestSecure, Agent as SecureAgent } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { Gates } from '../../../net/index.ts'
import { HelperError, printable } from '../../errors.ts'
import {
  LINK_STALL_TIMEOUT_MS,
  URL_LENGTH_MAX,
  WEBSEED_ALIVE_LENGTH,
  WEBSEED_ANSWER_TIMEOUT_MS,
  WEBSEED_REDIRECT_COUNT_MAX,
  WEBSEED_VALIDATOR_LENGTH_MAX,
} from '../../limits.ts'
import { isPublicHost } from '../../public-origin.ts'
import { withoutPassword } from '../../trace.ts'
import { urlIn } from '../../url.ts'

/** Where the limit of bytes per second is kept, for web seeds and peers together. */
export type DownloadGate = Pick<Gates['down'], 'whenOpen'>

export interface GetOptions {
  /** First byte that is wanted; the answer may start earlier (see WebAnswer.offset). */
  readonly offset: number
  /** Byte behind the last one that is wanted; null for all there are. */
  readonly end: number | null
  /** No address but a public one may be asked: the URL is not the user's own word. */
  readonly mustBePublic: boolean
  /** Of the version that is here already: the server need not send that one again. */
  readonly known?: Validators
  readonly signal: AbortSignal
}

/** What a server says to tell versions of a file apart (RFC 9110, section 8.8); null where it does not. */
export interface Validators {
  readonly etag: string | null
  readonly lastModified: string | null
}

export interface WebAnswer {
  /** Where in the file the body starts: the wanted offset, or 0 from a server that knows no ranges. */
  readonly offset: number
  /** Length of the whole file, null where the server does not say. */
  readonly fileLength: number | null
  /** The file is the one with the validators in `known`, and the body is empty. */
  readonly isUnchanged: boolean
  readonly validators: Validators
  /** The body; fails when it comes too slowly. Leaving the loop early ends the connection. */
  readonly body: AsyncIterable<Uint8Array>
}

/** Connections that are kept for the next request; close when done. */
export class WebConnections {
  readonly plain = new PlainAgent({ keepAlive: true })
  readonly secure = new SecureAgent({ keepAlive: true })
  readonly gate: DownloadGate

  /** Bodies come as fast as `gate` lets them. */
  constructor(gate: DownloadGate = new Gates().down) {
    this.gate = gate
  }

  close(): void {
    this.plain.destroy()
    this.secure.destroy()
  }
}

/** The whole body of an answer. @throws HelperError 'webseed-failed' for more than `lengthMax` bytes */
export async function bodyWithin({ body, fileLength }: WebAnswer, lengthMax: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const bytes of body) {
    length += bytes.length
    if (length > lengthMax || (fileLength ?? 0) > lengthMax)
      throw new HelperError('webseed-failed', `web seed: expected at most ${lengthMax} bytes, got more`)
    parts.push(bytes)
  }
  return Buffer.concat(parts)
}

/** Asks for a file. @throws HelperError 'webseed-failed' */
export async function webGet(start: string, options: GetOptions, connections: WebConnections): Promise<WebAnswer> {
  let url = new URL(start)
  let credentials = credentialsOf(url)
  let mustBePublic = options.mustBePublic
  for (let hops = 0; hops <= WEBSEED_REDIRECT_COUNT_MAX; hops++) {
    const response = await ask(url, credentials, { ...options, mustBePublic }, connections)
    const status = response.statusCode ?? 0
    if (![301, 302, 303, 307, 308].includes(status)) return answerOf(response, url, options, connections.gate)
    // A server on the network at large may not point into the one that the user sits in.
    mustBePublic ||= isPublicHost(response.socket.remoteAddress ?? '')
    response.destroy()
    const next = targetOf(response.headers.location, url)
    if (next.origin !== url.origin) credentials = null
    url = next
  }
  throw failed(url, `at most ${WEBSEED_REDIRECT_COUNT_MAX} redirects`, 'more')
}

function credentialsOf(url: URL): string | null {
  const { username, password } = url
  if (username === '' && password === '') return null
  url.username = ''
  url.password = ''
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return `Basic ${Buffer.from(text).toString('base64')}`
}

/** Where a redirect leads, without credentials. @throws HelperError 'webseed-failed' for one that leads nowhere, or to where it may not */
export function targetOf(location: string | undefined, from: URL): URL {
  const isShort = location !== undefined && location.length <= URL_LENGTH_MAX
  const target = isShort ? urlIn(location, from) : null
  if (target === null) throw failed(from, 'a redirect with a URL', 'one without')
  target.username = ''
  target.password = ''
  const isAllowed = target.protocol === 'https:' || (target.protocol === 'http:' && from.protocol === 'http:')
  if (!isAllowed) throw failed(from, `a redirect that stays with ${from.protocol}//`, target.protocol)
  return target
}

async function ask(
  url: URL,
  authorization: string | null,
  options: GetOptions,
  connections: WebConnections,
): Promise<IncomingMessage> {
  try {
    return await askOnce(url, authorization, options, connections)
  } catch (error) {
    // The server closed a kept connection just when we used it again: that says nothing about a fresh one.
    const isStale = error instanceof HelperError && error.data.isReused === 1 && !options.signal.aborted
    if (!isStale) throw error
    return askOnce(url, authorization, options, null)
  }
}

/** `connections` null: over a connection of its own. */
function askOnce(
  url: URL,
  authorization: string | null,
  { offset, end, mustBePublic, known, signal }: GetOptions,
  connections: WebConnections | null,
): Promise<IncomingMessage> {
  const range = offset === 0 && end === null ? {} : { range: `bytes=${offset}-${end === null ? '' : end - 1}` }
  const host = url.hostname.replace(/^\[|\]$/g, '')
  // A literal address is never looked up.
  if (mustBePublic && isIP(host) !== 0 && !isPublicHost(host)) throw failed(url, 'a public address', host)
  const isSecure = url.protocol === 'https:'
  const requestOptions: RequestOptions = {
    agent: (isSecure ? connections?.secure : connections?.plain) ?? false,
    headers: {
      ...range,
      ...conditionsOf(known),
      'accept-encoding': 'identity',
      ...(authorization === null ? {} : { authorization }),
    },
    signal,
    ...(mustBePublic ? { lookup: lookUpPublic } : {}),
  }
  return new Promise((resolve, reject) => {
    const request = (isSecure ? requestSecure : requestPlain)(url, requestOptions, (response) => {
      clearTimeout(timer)
      // A connection that was kept from an earlier request was not looked up for this one.
      const address = response.socket.remoteAddress ?? ''
      if (!mustBePublic || isPublicHost(address)) return resolve(response)
      response.destroy()
      reject(failed(url, 'a public address', address))
    })
    const timer = setTimeout(
      () => request.destroy(new Error(`no answer within ${WEBSEED_ANSWER_TIMEOUT_MS} ms`)),
      WEBSEED_ANSWER_TIMEOUT_MS,
    )
    request.on('error', (error) => {
      clearTimeout(timer)
      const isReset = request.reusedSocket && 'code' in error && error.code === 'ECONNRESET'
      reject(failed(url, 'an answer', error.message, error, isReset ? { isReused: 1 } : {}))
    })
    request.end()
  })
}

function conditionsOf(known: Validators | undefined): Readonly<Record<string, string>> {
  const { etag = null, lastModified = null } = known ?? {}
  return {
    ...(etag === null ? {} : { 'if-none-match': etag }),
    ...(lastModified === null ? {} : { 'if-modified-since': lastModified }),
  }
}

function validatorsOf({ headers }: IncomingMessage): Validators {
  const mayBeKept = !/\bno-store\b/i.test(headers['cache-control'] ?? '')
  const short = (text: string | undefined): string | null =>
    mayBeKept && text !== undefined && text.length <= WEBSEED_VALIDATOR_LENGTH_MAX ? text : null
  return { etag: short(headers.etag), lastModified: short(headers['last-modified']) }
}

/** Like the system's look-up, but without the addresses that are not public. */
const lookUpPublic: LookupFunction = (host, options, done) => {
  lookup(host, { ...options, all: true }, (error, found) => {
    const addresses = error === null ? found.filter(({ address }) => isPublicHost(address)) : []
    const [first] = addresses
    if (first === undefined) done(error ?? new Error(`${printable(host)} has no public address`), '', 0)
    else if (options.all === true) done(null, addresses)
    else done(null, first.address, first.family)
  })
}

function answerOf(
  response: IncomingMessage,
  url: URL,
  { offset, end, known, signal }: GetOptions,
  gate: DownloadGate,
): WebAnswer {
  const { statusCode = 0, headers } = response
  const refuse = (expected: string, got: string): HelperError => {
    response.destroy()
    return failed(url, expected, got)
  }
  const encoding = headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') throw refuse('bytes as they are', `content-encoding ${encoding}`)
  const body = bodyOf(response, url, gate, signal)
  const answer = { isUnchanged: statusCode === 304, validators: validatorsOf(response), body }
  if (statusCode === 304 && known !== undefined) return { ...answer, offset: 0, fileLength: null }
  if (statusCode === 200) {
    const length = Number(headers['content-length'] ?? Number.NaN)
    return { ...answer, offset: 0, fileLength: Number.isSafeInteger(length) ? length : null }
  }
  if (statusCode !== 206) throw refuse('status 200 or 206', String(statusCode))
  const range = sentRange(headers['content-range'] ?? '')
  if (range?.offset !== offset) throw refuse(`bytes ${offset}-${end ?? ''}`, headers['content-range'] ?? 'no range')
  return { ...answer, ...range }
}

/** What a Content-Range header says of the bytes that follow (RFC 9110, section 14.4); null for one that is none. */
export function sentRange(header: string): Pick<WebAnswer, 'offset' | 'fileLength'> | null {
  const [, from, last, total] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(header) ?? []
  if (from === undefined || Number(last) < Number(from)) return null
  const fileLength = total === '*' ? null : Number(total)
  return fileLength !== null && Number(last) >= fileLength ? null : { offset: Number(from), fileLength }
}

/** What counts against the server is the time for which it is waited for, not what our own limit or reader takes. */
async function* bodyOf(
  response: IncomingMessage,
  url: URL,
  gate: DownloadGate,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const chunks: AsyncIterator<Uint8Array> = response[Symbol.asyncIterator]()
  let lackingLength = WEBSEED_ALIVE_LENGTH
  let patienceMs = LINK_STALL_TIMEOUT_MS
  const giveUp = (): void => {
    response.destroy(new Error(`less than ${WEBSEED_ALIVE_LENGTH} bytes in ${LINK_STALL_TIMEOUT_MS} ms`))
  }
  try {
    while (true) {
      const startMs = performance.now()
      const timer = setTimeout(giveUp, patienceMs)
      const next = await chunks.next().finally(() => clearTimeout(timer))
      if (next.done === true) return
      const { length } = next.value
      lackingLength -= length
      patienceMs -= performance.now() - startMs
      if (lackingLength <= 0) {
        lackingLength = WEBSEED_ALIVE_LENGTH
        patienceMs = LINK_STALL_TIMEOUT_MS
      }
      await gate.whenOpen(length, signal)
      yield next.value
    }
  } catch (error) {
    throw failed(url, 'the whole file', error instanceof Error ? error.message : String(error), error)
  } finally {
    response.destroy()
  }
}

function failed(
  url: URL,
  expected: string,
  got: string,
  cause?: unknown,
  data: Readonly<Record<string, number>> = {},
): HelperError {
  const shown = withoutPassword(url.href)
  return new HelperError(
    'webseed-failed',
    `web seed ${shown}: expected ${expected}, got ${printable(got)}`,
    data,
    cause,
  )
}
