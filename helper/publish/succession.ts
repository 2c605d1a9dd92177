/**
 * Rotation of keys: a profile commits to the next key before it is needed, by hashes that show nothing of it. The next
 * key's own succession record, found under the target in the commitment, then takes over, also when the old key is
 * lost or stolen. The commitment that was seen first stands: who steals a key cannot name a successor of his own to anybody who
 * knew the key before.
 */
import { createHash } from 'node:crypto'
import { itemTarget, type MutableItem } from '../../net/index.ts'
import { SUCCESSION_SALT } from './names.ts'
import { decodeRecord } from './record.ts'

/** The commitment to a next key that a profile holds, or null. */
export function commitmentOf(item: MutableItem): string | null {
  try {
    const record = decodeRecord(item.value)
    return record.type === 'profile' ? record.next : null
  } catch {
    return null
  }
}

/** The commitment to a key: target of its succession record, and SHA-256 of the key. */
export function commitmentTo(key: Uint8Array): string {
  const target = Buffer.from(itemTarget(key, SUCCESSION_SALT)).toString('hex')
  return `${target}${createHash('sha256').update(key).digest('hex')}`
}

/** True for the succession record of the key that a commitment names. */
export function isCommittedTo(item: MutableItem, commitment: string): boolean {
  return Buffer.compare(item.salt, SUCCESSION_SALT) === 0 && commitmentTo(item.key) === commitment
}
