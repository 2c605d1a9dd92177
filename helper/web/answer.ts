/**
 * Answers one request to our web server (RFC 9110): GET and HEAD of a known file, whole or one range of it, or that it has not changed.
 * Bytes are read as fast as the client takes them and the upload limit lets them pass; who takes none for a while is cut off.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Gates } from '../../net/index.ts'
import type { JobLimit } from '../daemon/job-limit.ts'
import { WEB_CHUNK_LENGTH, WEB_LIMITED_CHUNK_LENGTH, WEB_UNREAD_TIMEOUT_MS } from '../limits.ts'
import { type ByteRange, rangeIn } from './byte-range.ts'
import type { FoundFile, WebFile, WebFolders } from './web-folders.ts'

export interface AnswerPorts {
  readonly folders: WebFolders
  /** Of the upload limit. */
  readonly gate: Pick<Gates['up'], 'isLimited' | 'whenOpen'>
  /** Bounds how many reads are in memory at the same time. */
  readonly reads: JobLimit
}

const TYPES: readonly (readonly [ending: string, type: string])[] = [
  ['.json', 'application/json'],
  ['.html', 'text/html; charset=utf-8'],
  ['.torrent', 'application/x-bittorrent'],
  ['.bundle', 'application/octet-stream'],
  ['.pack', 'application/octet-stream'],
]

/** Resolves when the answer is given or the client gone. */
export async function answer(request: IncomingMessage, response: ServerResponse, ports: AnswerPorts): Promise<void> {
  const { method = '', url = '', headers } = request
  const hasBody = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
  if (hasBody) return refuse(response, 400, { connection: 'close' })
  if (method !== 'GET' && method !== 'HEAD') return refuse(response, 405, { allow: 'GET, HEAD' })
  const found = ports.folders.find(url)
  if (found === null) return refuse(response, 404)
  const { file } = found
  const etag = `"${file.sha256}"`
  const about = {
    etag,
    'accept-ranges': 'bytes',
    'cache-control': file.isFixed ? 'max-age=604800, immutable' : 'no-cache',
  }
  if (isNamed(etag, headers['if-none-match'])) return refuse(response, 304, about)
  const isRangeMeant = method === 'GET' && (headers['if-range'] ?? etag) === etag
  const range = isRangeMeant ? rangeIn(headers.range, file.lengthBytes) : 'whole'
  if (range === 'outside') return refuse(response, 416, { ...about, 'content-range': `bytes */${file.lengthBytes}` })
  const { offset, end } = range === 'whole' ? { offset: 0, end: file.lengthBytes } : range
  response.writeHead(range === 'whole' ? 200 : 206, {
    ...about,
    'content-type': typeOf(file),
    'content-length': end - offset,
    ...(range === 'whole' ? {} : { 'content-range': `bytes ${offset}-${end - 1}/${file.lengthBytes}` }),
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
  })
  if (method === 'HEAD' || (await sendBody(response, found, { offset, end }, ports))) await finish(response)
  else response.destroy()
}

/** An answer without a body. */
function refuse(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  response.writeHead(status, status === 304 ? headers : { ...headers, 'content-length': 0 })
  return finish(response)
}

/** Whether If-None-Match names the version; compared weakly, as RFC 9110 has it. */
function isNamed(etag: string, header: string | undefined): boolean {
  return (header ?? '').split(',').some((one) => ['*', etag, `W/${etag}`].includes(one.trim()))
}

function typeOf({ name }: WebFile): string {
  return TYPES.find(([ending]) => name.endsWith(ending))?.[1] ?? 'text/plain; charset=utf-8'
}

/** False when the client left, took nothing for too long, or the bytes cannot be read. */
async function sendBody(
  response: ServerResponse,
  { file, onSent }: FoundFile,
  { offset, end }: ByteRange,
  { gate, reads }: AnswerPorts,
): Promise<boolean> {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const chunkLength = gate.isLimited ? WEB_LIMITED_CHUNK_LENGTH : WEB_CHUNK_LENGTH
  for (let at = offset; at < end; ) {
    const length = Math.min(chunkLength, end - at)
    await gate.whenOpen(length, gone.signal)
    const from = at
    const bytes = response.destroyed ? null : await reads.run(() => file.read(from, length)).catch(() => null)
    if (bytes === null || bytes.length !== length) return false
    await untilTaken(response, (done) => response.write(bytes, done))
    if (response.destroyed) return false
    onSent(length)
    at += length
  }
  return true
}

function finish(response: ServerResponse): Promise<void> {
  return untilTaken(response, (done) => response.end(done))
}

/** Resolves when the system has taken what is handed over, or the connection is gone, which it is after a while. */
function untilTaken(response: ServerResponse, handOver: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed) return resolve()
    const timer = setTimeout(() => response.destroy(), WEB_UNREAD_TIMEOUT_MS)
    const end = (): void => {
      clearTimeout(timer)
      response.off('close', end)
      resolve()
    }
    response.once('close', end)
    handOver(end)
  })
}
