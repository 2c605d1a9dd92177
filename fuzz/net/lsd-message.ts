// Fuzz target: datagrams of local service discovery. Reading never throws; what is taken is within bounds and, written
// again, is read as the same.
import { LSD_COOKIE_LENGTH_MAX, LSD_INFOHASH_COUNT_MAX } from '../../net/limits.ts'
import { decodeLsdMessage, encodeLsdMessage } from '../../net/lsd-message.ts'

const GROUP = '239.192.152.143:6771'
const INFOHASH = '0123456789abcdef0123456789abcdef01234567'

export function fuzz(bytes: Uint8Array): void {
  const message = decodeLsdMessage(bytes)
  if (message === null) return
  const { port, infohashes, cookie } = message
  const isBounded = port >= 0 && port <= 65535 && cookie.length <= LSD_COOKIE_LENGTH_MAX
  if (!isBounded || infohashes.length > LSD_INFOHASH_COUNT_MAX) throw new Error('a message out of bounds')
  const again = decodeLsdMessage(encodeLsdMessage(message, GROUP))
  if (JSON.stringify(again) !== JSON.stringify(message)) throw new Error('a message that is read differently again')
}

export function seeds(): Uint8Array[] {
  return [
    encodeLsdMessage({ port: 6881, infohashes: [INFOHASH], cookie: 'cookie' }, GROUP),
    encodeLsdMessage({ port: 0, infohashes: [INFOHASH, INFOHASH], cookie: '' }, GROUP),
  ]
}

export const dictionary = ['BT-SEARCH * HTTP/1.1\r\n', '\r\n', '\r\n\r\n', 'Port: ', 'Infohash: ', 'cookie: ', INFOHASH]
