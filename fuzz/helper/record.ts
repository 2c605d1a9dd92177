/**
 * Fuzz target of publishers' records, which come from the DHT and from peers. Only HelperError may come out; what is read is
 * written so that it is read as the same.
 */

import { HelperError } from '../../helper/errors.ts'
import { decodeRecord, encodeRecord, type PublisherRecord } from '../../helper/publish/record.ts'
import { BENCODE_WORDS } from '../driver/seeds.ts'

const EXPIRES = 1_800_000_000

export function fuzz(bytes: Uint8Array): void {
  try {
    const record = decodeRecord(bytes)
    const again = decodeRecord(encodeRecord(record))
    if (JSON.stringify(again) !== JSON.stringify(record)) throw new Error('a record that is read differently again')
  } catch (error) {
    if (!(error instanceof HelperError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  const records: PublisherRecord[] = [
    {
      type: 'repository',
      name: 'project',
      onBehalfOf: 'ab'.repeat(20),
      objectFormat: 'sha1',
      documentHash: 'cd'.repeat(32),
      documentLength: 900,
      refCount: 3,
      expires: EXPIRES,
      delegates: [{ key: 'ef'.repeat(32), expires: EXPIRES, patterns: ['refs/heads/*'] }],
    },
    {
      type: 'profile',
      name: 'A U Thor',
      email: 'a@example.org',
      repositories: [{ name: 'project', refs: [{ name: 'refs/heads/main', oid: '12'.repeat(20) }] }],
      leftOutCount: 1,
      expires: EXPIRES,
      next: '34'.repeat(52),
    },
    { type: 'succession', from: '56'.repeat(32), reason: 'revoked', expires: EXPIRES },
  ]
  return records.map(encodeRecord)
}

export const dictionary = [
  ...BENCODE_WORDS,
  '10:repository',
  '7:profile',
  '10:succession',
  '4:refs',
  '4:sha1',
  '1:g',
  '4:next52:',
]
