// Fuzz target: addresses as text (configuration, gossip by hand) and as compact bytes. Text may be refused with NetError;
// both forms lead back to the address that they came from.
import {
  classOfHost,
  compactAddress,
  expandAddress,
  formatAddress,
  isDialable,
  parseAddress,
  plainHost,
} from '../../net/address.ts'
import { NetError } from '../../net/index.ts'

export function fuzz(bytes: Uint8Array): void {
  const expanded = expandAddress(bytes)
  if (expanded !== null) {
    const compact = compactAddress(expanded)
    const again = compact === null ? null : expandAddress(compact)
    if (again === null || formatAddress(again) !== formatAddress(expanded)) throw new Error('compact bytes change')
    if (formatAddress(parseAddress(formatAddress(expanded))) !== formatAddress(expanded))
      throw new Error('text changes')
  }
  try {
    const address = parseAddress(Buffer.from(bytes).toString('latin1'))
    classOfHost(address.host)
    if (formatAddress(parseAddress(formatAddress(address))) !== formatAddress(address)) throw new Error('text changes')
    const compact = compactAddress(address)
    const back = compact === null || !isDialable(address) ? null : expandAddress(compact)
    if (back === null) return
    // One host may be written in several ways, but all of them mean the same and are of one class.
    if (plainHost(back.host) !== plainHost(address.host)) throw new Error('another address')
    if (classOfHost(back.host) !== classOfHost(address.host)) throw new Error('another class')
  } catch (error) {
    if (!(error instanceof NetError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  const texts = [
    '8.8.8.8:6881',
    '[2001:db8::1]:80',
    'host.example:65535',
    '[::ffff:1.2.3.4]:5',
    '[fe80::1]:9',
    '127.1:1',
  ]
  const compact = [
    '08080808' + '1ae1',
    '20010db8000000000000000000000001' + '0050',
    '00000000000000000000ffff01020304' + '0001',
  ]
  return [...texts.map((text) => Buffer.from(text)), ...compact.map((hex) => Buffer.from(hex, 'hex'))]
}

export const dictionary = [
  '::',
  ':',
  '[',
  ']:',
  '.',
  '::ffff:',
  '0',
  '255',
  '65535',
  'localhost',
  '%eth0',
  '\0\0\0\0\0\0\0\0\0\0\xff\xff',
]
