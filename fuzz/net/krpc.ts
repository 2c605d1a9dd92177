// Fuzz target: the guard in front of the DHT.
// It never throws, and what it lets through it lets through unchanged again.

import { cleanDatagram } from '../../net/krpc.ts'
import { BENCODE_WORDS } from '../driver/seeds.ts'

export function fuzz(bytes: Uint8Array): void {
  const clean = cleanDatagram(bytes, 'public')
  if (clean === null) return
  const again = cleanDatagram(clean, 'public')
  if (again === null || Buffer.compare(again, clean) !== 0) throw new Error('the guard does not accept its own output')
}

export function seeds(): Uint8Array[] {
  const id = 'abcdefghij0123456789'
  const node = `${id}\x08\x08\x08\x08\x1a\xe1`
  const signed = `1:k32:${'k'.repeat(32)}4:salt1:s3:seqi1e3:sig64:${'s'.repeat(64)}`
  return [
    `d1:ad2:id20:${id}e1:q4:ping1:t2:aa1:y1:qe`,
    `d1:ad2:id20:${id}6:target20:${id}e1:q9:find_node1:t2:aa1:y1:qe`,
    `d1:ad2:id20:${id}9:info_hash20:${id}e1:q9:get_peers1:t2:aa1:y1:qe`,
    `d1:ad2:id20:${id}12:implied_porti1e9:info_hash20:${id}4:porti6881e5:token2:tte1:q13:announce_peer1:t2:aa1:y1:qe`,
    `d1:ad2:id20:${id}3:seqi1e6:target20:${id}e1:q3:get1:t2:aa1:y1:qe`,
    `d1:ad3:casi1e2:id20:${id}${signed}5:token2:tt1:v3:valee1:q3:put1:t2:aa1:y1:qe`.replace('valee', 'vale'),
    `d1:rd2:id20:${id}${signed.replace('4:salt1:s', '')}5:nodes26:${node}5:token2:tt1:v3:val6:valuesl6:${node.slice(20)}eee1:t2:aa1:y1:re`.replace(
      'eee1:t',
      'ee1:t',
    ),
    'd1:eli201e5:Oopsee1:t2:aa1:y1:ee',
  ].map((text) => Buffer.from(text, 'latin1'))
}

export const dictionary = [
  ...BENCODE_WORDS,
  '1:q',
  '1:r',
  '1:a',
  '4:ping',
  '3:put',
  '4:salt',
  '3:cas',
  '5:nodes',
  '6:values',
]
