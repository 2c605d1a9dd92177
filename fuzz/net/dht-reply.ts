/**
 * Fuzz target of what comes back to the doctor's ping. Nothing may be thrown; what counts as a reply echoes the transaction.
 */
import { isReplyTo } from '../../net/probe.ts'
import { BENCODE_WORDS } from '../driver/seeds.ts'

const TRANSACTION = Buffer.from('tx12')

export function fuzz(bytes: Uint8Array): void {
  if (isReplyTo(bytes, TRANSACTION) && !Buffer.from(bytes).includes(TRANSACTION)) throw new Error('a reply to another')
}

export function seeds(): Uint8Array[] {
  const id = 'i'.repeat(20)
  return [
    `d1:rd2:id20:${id}e1:t4:tx121:y1:re`,
    `d1:t4:tx121:y1:r1:rd2:id20:${id}ee`,
    'd1:eli201e1:xe1:t4:tx121:y1:ee',
  ].map((text) => Buffer.from(text))
}

export const dictionary = [...BENCODE_WORDS, '1:r', '1:t', '4:tx12', '2:id']
