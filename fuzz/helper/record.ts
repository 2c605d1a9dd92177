/**
 * Fuzz target of a publisher's records: profile, repository, succession. Only HelperError may come out; what is taken in is
 * written again within the bound of BEP 44 and reads the same.
 */
import { deepStrictEqual } from 'node:assert'
import { HelperError } from '../../helper/errors.ts'
import { decodeRecord, encodeProfile, encodeRecord, type PublisherRecord } from '../../helper/publish/record.ts'
import { BENCODE_WORDS } from '../driver/seeds.ts'

export function fuzz(bytes: Uint8Array): void {
  let record: PublisherRecord
  try {
    record = decodeRecord(bytes)
  } catch (error) {
    if (error instanceof HelperError) return
    throw error
  }
  // Texts that are no UTF-8 grow when they are read; then there may be no room for them.
  if (JSON.stringify(record).includes('\ufffd')) return
  try {
    deepStrictEqual(decodeRecord(encodeRecord(record)), record)
  } catch (error) {
    if (!(error instanceof HelperError && error.code === 'limit' && bytes.length > 900)) throw error
  }
}

export function seeds(): Uint8Array[] {
  const [hash, key] = ['ab'.repeat(32), 'cd'.repeat(32)]
  const shared = { expires: 1_797_419_200 }
  const plain = {
    documentHash: hash,
    documentLength: 100,
    refCount: 2,
    objectFormat: 'sha1',
    objectsLength: null,
  } as const
  const delegates = [{ key, expires: 1_797_000_000, patterns: ['refs/heads/dev/*', 'refs/tags/v1'] }]
  const repositories = [{ name: 'project', refs: [{ name: 'refs/heads/main', oid: 'ef'.repeat(20) }] }]
  const profile = { type: 'profile', name: 'A U Thor', email: 'a@b', repositories, leftOutCount: 3, ...shared } as const
  return [
    encodeRecord({ type: 'repository', name: 'project', onBehalfOf: null, delegates, ...plain, ...shared }),
    encodeRecord({
      ...{ type: 'repository', name: 'a/b', onBehalfOf: '01'.repeat(20), delegates: [], ...plain, ...shared },
      objectsLength: 4096,
    }),
    encodeProfile({ ...profile, next: null }),
    encodeProfile({ ...profile, next: '23'.repeat(52) }),
    encodeRecord({ type: 'succession', from: key, reason: 'revoked', ...shared }),
  ]
}

export const dictionary = [
  ...BENCODE_WORDS,
  '1:g',
  '1:n',
  '1:t',
  '1:x',
  '4:next',
  '10:repository',
  '7:profile',
  '4:sha1',
]
