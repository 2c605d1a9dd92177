/**
 * Signing anew: the records of one repository that keys of this user have signed, as its publisher or as delegates of somebody
 * else's, when half of their time is over, for as long as they held before. What is said stays the same. Where another
 * machine with the key was faster, its word stands, and is read with the next look.
 */
import type { MutableItem } from '../../net/index.ts'
import type { Environment } from '../config.ts'
import { KeyStore, keyId } from '../keys/key-store.ts'
import { PUBLISHER_LOCK_PATIENCE_MS } from './limits.ts'
import type { Contribution } from './merge-refs.ts'
import { delegateSalt, repositorySalt } from './names.ts'
import type { PublishSurroundings, Signer } from './own-record.ts'
import { publishOnBehalf, publishRepository } from './publish.ts'
import type { PublisherFolder } from './publisher-folder.ts'
import { decodeRecord } from './record.ts'

/**
 * Renews what is due; `read` is what was read last, empty if nothing could be. Returns the ids of the keys that signed.
 * @throws HelperError as publishing does; key-unusable for a sealed key without a passphrase
 */
export async function renewRecords(
  folder: PublisherFolder,
  name: string,
  read: readonly Contribution[],
  around: Omit<PublishSurroundings, 'lifetimeSeconds'>,
): Promise<string[]> {
  const memory = await folder.memory()
  const salt = Buffer.from(repositorySalt(name))
  const own = memory.items().find((item) => salt.equals(item.salt) && keyId(item.key) === folder.id) ?? null
  const renewed: string[] = []
  const renew = async (item: MutableItem | null, sign: (signer: Signer, around: PublishSurroundings) => unknown) => {
    const lifetimeSeconds = item === null ? null : dueLifetime(item, around.nowSeconds)
    const signer = item === null || lifetimeSeconds === null ? null : await signerOf(around.env, item.key)
    if (signer === null || lifetimeSeconds === null) return
    await folder.exclusively(PUBLISHER_LOCK_PATIENCE_MS, async () => sign(signer, { ...around, lifetimeSeconds }))
    renewed.push(keyId(signer.publicKey))
  }
  await renew(own, (signer, signing) => publishRepository(signer, name, { read }, signing))
  for (const { delegate } of read) {
    if (delegate === null || delegate.expires <= around.nowSeconds) continue
    const item = memory.item(Buffer.from(delegate.key, 'hex'), delegateSalt(folder.id, name))
    await renew(item, (signer, signing) => publishOnBehalf(signer, { folder, name, delegate, read }, signing))
  }
  return renewed
}

/** Seconds for which the record is to hold once more if half of its time is over, else null; it was signed at about its seq. */
function dueLifetime({ seq, value }: MutableItem, nowSeconds: number): number | null {
  const { expires } = decodeRecord(value)
  const lifetimeSeconds = expires - seq
  return lifetimeSeconds > 0 && expires - nowSeconds <= lifetimeSeconds / 2 ? lifetimeSeconds : null
}

/** A key of ours, or null. */
async function signerOf(env: Environment, publicKey: Uint8Array): Promise<Signer | null> {
  const store = new KeyStore(env)
  const key = await store.find(keyId(publicKey))
  return key === null ? null : { seed: await store.seedOf(key), publicKey }
}
