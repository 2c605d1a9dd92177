/**
 * Fuzz target of texts that name keys: TXT records and well-known documents, and the text of a secret key. Only HelperError may come
 * out; a key that is taken in has 40 or 64 digits.
 */
import { HelperError } from '../../helper/errors.ts'
import { readSecret } from '../../helper/keys/secret-text.ts'
import { keyIn } from '../../helper/names/resolve.ts'

export function fuzz(bytes: Uint8Array): void {
  const text = Buffer.from(bytes).toString('utf8')
  for (const read of [() => keyIn(text.split(/\r?\n/), 'x'), () => readSecret(text).publicKey]) {
    try {
      const key = read()
      if (key !== null && !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(key)) throw new Error('a key that is none')
    } catch (error) {
      if (!(error instanceof HelperError)) throw error
    }
  }
}

export function seeds(): Uint8Array[] {
  const key = 'ab'.repeat(32)
  const sealed = `sealed scrypt 32768 8 1 ${'0'.repeat(32)} ${'1'.repeat(24)} ${'2'.repeat(96)}`
  const texts = [
    `# keys\ngittorrent=${key}\n`,
    `v=spf1 -all\r\ngittorrent=${'C'.repeat(40)}\r\n`,
    `gittorrent secret key 1\npublic ${key}\nsecret ${key}\n`,
    `gittorrent secret key 1\npublic ${key}\n${sealed}\n`,
  ]
  return texts.map((text) => Buffer.from(text))
}

export const dictionary = [
  'gittorrent=',
  'gittorrent secret key 1\n',
  'public ',
  'secret ',
  'sealed scrypt ',
  '\r\n',
  '\u2028',
]
