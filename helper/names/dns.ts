/**
 * A name that a domain vouches for by DNS: TXT records of `_gittorrent.<domain>` that read `gittorrent=<40 or 64 digits>`.
 * Asks the servers of the system, or gittorrent.dnsServer, over UDP and, where the answer is too long, over TCP.
 * Without DNSSEC whoever sits between us and the resolver can answer, which the caller is told of.
 */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { getServers } from 'node:dns'
import { connect } from 'node:net'
import type { HostPort } from '../config.ts'
import { HelperError } from '../errors.ts'
import { decodeTxtAnswer, encodeTxtQuery, type TxtAnswer } from './dns-message.ts'
import { DNS_ANSWER_LENGTH_MAX, DNS_TIMEOUT_MS } from './limits.ts'

/** TXT records of a name from the first server that answers. @throws HelperError 'name-unresolved' */
export async function lookUpTxt(name: string, server: HostPort | null, signal: AbortSignal): Promise<TxtAnswer> {
  const servers = server === null ? getServers().map(hostPortOf) : [server]
  let failure: unknown = null
  for (const address of servers) {
    try {
      const answer = await askUdp(name, address, signal)
      return answer.isTruncated ? await askTcp(name, address, signal) : answer
    } catch (error) {
      failure = error
    }
  }
  throw new HelperError(
    'name-unresolved',
    `DNS: expected an answer for '${name}', got none from ${servers.length} servers`,
    {},
    failure,
  )
}

function hostPortOf(text: string): HostPort {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text)
  return match === null ? { host: text, port: 53 } : { host: match[1] ?? match[2] ?? '', port: Number(match[3]) }
}

/** The socket is connected, so that only the server's own datagrams arrive; id and port are random (RFC 5452). */
function askUdp(name: string, { host, port }: HostPort, signal: AbortSignal): Promise<TxtAnswer> {
  const id = randomInt(65536)
  const query = encodeTxtQuery(id, name)
  const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4', signal })
  return new Promise<TxtAnswer>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no answer in time')), DNS_TIMEOUT_MS)
    socket.on('error', reject)
    socket.on('close', () => clearTimeout(timer))
    socket.on('message', (bytes) => {
      try {
        const answer = decodeTxtAnswer(bytes, id)
        if (answer !== null) resolve(answer)
      } catch (error) {
        reject(error)
      }
    })
    socket.connect(port, host, () => socket.send(query))
  }).finally(() => socket.close())
}

function askTcp(name: string, { host, port }: HostPort, signal: AbortSignal): Promise<TxtAnswer> {
  const id = randomInt(65536)
  const query = encodeTxtQuery(id, name)
  const socket = connect({ host, port, signal })
  const prefix = Buffer.from([query.length >> 8, query.length & 0xff])
  return new Promise<TxtAnswer>((resolve, reject) => {
    let held = Buffer.alloc(0)
    socket.setTimeout(DNS_TIMEOUT_MS, () => reject(new Error('no answer in time')))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the connection ended')))
    socket.on('data', (bytes: Uint8Array) => {
      held = Buffer.concat([held, bytes])
      const length = held.length < 2 ? DNS_ANSWER_LENGTH_MAX : held.readUInt16BE(0)
      if (held.length < 2 + length) return
      const answer = decodeTxtAnswer(held.subarray(2, 2 + length), id)
      if (answer === null) reject(new Error('an answer to something else'))
      else resolve(answer)
    })
    socket.write(Buffer.concat([prefix, query]))
  }).finally(() => socket.destroy())
}
