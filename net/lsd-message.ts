/**
 * The datagrams of local service discovery (BEP 14), read strictly: one request line, headers of printable ASCII, one
 * port, a few infohashes, perhaps a cookie. Headers that are not known are ignored. Pure: bytes to values and back.
 * Port 0 is ours: "nobody can dial me; whoever has this, tell me so at the address that this came from". Other programs
 * ignore port 0.
 */
import { fromLatin1, latin1 } from './bencode.ts'
import { LSD_COOKIE_LENGTH_MAX, LSD_DATAGRAM_LENGTH_MAX, LSD_INFOHASH_COUNT_MAX } from './limits.ts'

export interface LsdMessage {
  /** TCP port of the sender; 0 if it cannot be dialled. */
  readonly port: number
  /** Lowercase hex, 40 digits each; at least one. */
  readonly infohashes: readonly string[]
  /** What the sender knows its own messages by; empty if it has none. */
  readonly cookie: string
}

const REQUEST_LINE = 'BT-SEARCH * HTTP/1.1'
const END = '\r\n\r\n'

/** The datagram of a message to `group`, "host:port". */
export function encodeLsdMessage({ port, infohashes, cookie }: LsdMessage, group: string): Uint8Array {
  const lines = [
    REQUEST_LINE,
    `Host: ${group}`,
    `Port: ${port}`,
    ...infohashes.map((infohash) => `Infohash: ${infohash}`),
    ...(cookie === '' ? [] : [`cookie: ${cookie}`]),
  ]
  return fromLatin1(`${lines.join('\r\n')}${END}\r\n`)
}

/** The message in a datagram, null if it is none. */
export function decodeLsdMessage(bytes: Uint8Array): LsdMessage | null {
  if (bytes.length > LSD_DATAGRAM_LENGTH_MAX) return null
  const text = latin1(bytes)
  const end = text.indexOf(END)
  if (end < 0 || text.slice(end + END.length).replace('\r\n', '') !== '') return null
  const [first, ...lines] = text.slice(0, end).split('\r\n')
  if (first !== REQUEST_LINE) return null
  const ports: number[] = []
  const infohashes: string[] = []
  const cookies: string[] = []
  for (const line of lines) {
    const [, name, value] = /^([A-Za-z-]{1,32}):[ \t]*([!-~](?:[ -~]*[!-~])?)[ \t]*$/.exec(line) ?? []
    if (name === undefined || value === undefined) return null
    const key = name.toLowerCase()
    if (key === 'port') ports.push(/^\d{1,5}$/.test(value) ? Number(value) : -1)
    else if (key === 'infohash') infohashes.push(value.toLowerCase())
    else if (key === 'cookie') cookies.push(value)
  }
  const [port = -1] = ports
  const [cookie = ''] = cookies
  if (ports.length !== 1 || port < 0 || port > 65535) return null
  if (cookies.length > 1 || cookie.length > LSD_COOKIE_LENGTH_MAX) return null
  if (infohashes.length < 1 || infohashes.length > LSD_INFOHASH_COUNT_MAX) return null
  return infohashes.every((infohash) => /^[0-9a-f]{40}$/.test(infohash)) ? { port, infohashes, cookie } : null
}
