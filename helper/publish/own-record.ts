/**
 * Writing a record of a key of ours, so that two machines with one key do not sign two values for one seq: what the network
 * has is read first, the new item goes above it and is put only where that is stored still (`cas` of BEP 44), and what the
 * network has then is read again. That leaves machines whose puts cross at different nodes at the same moment; who reads
 * last sees it, keeps the proof and heals it: the value that comes first in byte order is signed anew, above both.
 * The network is told before the item is stored here: a value that was refused must not be handed out by us.
 */
import { type Dht, itemTarget, type MutableItem, type Net, signItem } from '../../net/index.ts'
import type { Environment } from '../config.ts'
import { HelperError } from '../errors.ts'
import type { Trace } from '../trace.ts'
import { nextSeq } from './judge.ts'
import { OWN_RECORD_ATTEMPT_COUNT_MAX, OWN_RECORD_PAUSE_MS } from './limits.ts'
import type { PublisherMemory } from './memory.ts'

export interface Signer {
  /** 32 bytes. */
  readonly seed: Uint8Array
  readonly publicKey: Uint8Array
}

export interface PublishSurroundings {
  readonly env: Environment
  /** Null: sign and store only; the records are told later (republishPublisher). */
  readonly net: Net | null
  readonly trace: Trace
  readonly nowSeconds: number
  /** Seconds that the records hold. */
  readonly lifetimeSeconds: number
  /** Tells the user, in a sentence without a line end, what other machines with the key have signed. */
  readonly warn?: ((text: string) => void) | undefined
}

export interface Draft {
  readonly salt: Uint8Array
  /** What is written, for warnings: `the record of 'project'`. */
  readonly what: string
  /** False: what another machine signed meanwhile, and we have not seen, stands, and ours is given up. */
  readonly mayReplaceUnseen: boolean
  /** The value to sign with `seq`; `known` is all that this machine and the network have under the key and salt. */
  readonly value: (known: readonly MutableItem[], seq: number) => Promise<Uint8Array>
}

export interface Written {
  readonly item: MutableItem
  /** Nodes of the DHT that took it; null where nobody was told. */
  readonly nodeCount: number | null
}

/**
 * Signs what `draft` says, tells the DHT where there is one; the caller stores it.
 * @throws HelperError busy if another machine was faster
 */
export async function writeOwnRecord(
  signer: Signer,
  draft: Draft,
  memory: PublisherMemory,
  around: PublishSurroundings,
): Promise<Written> {
  const dht = (await around.net?.dht()) ?? null
  const seen = memory.item(signer.publicKey, draft.salt)
  let isWinner = false
  for (let attempt = 1; ; attempt++) {
    const stored = await itemsOf(dht, signer, draft)
    const newest = newestOf(stored)
    if (newest > (seen?.seq ?? -1) && !isWinner) noteUnseen(draft, newest, around)
    const known = seen === null ? stored : [seen, ...stored]
    if (attempt === 1) await accuse(known, draft, memory, around)
    const seq = nextSeq(around.nowSeconds, known)
    const value = await draft.value(known, seq)
    const item = signItem(signer.seed, { salt: draft.salt, seq, value })
    if (dht === null) return { item, nodeCount: null }
    const { count, isOutdated } = await dht.putItem(item, newest < 0 ? {} : { cas: newest })
    const after = await itemsOf(dht, signer, draft)
    const others = after.filter((other) => other.seq > newest && Buffer.compare(other.value, value) !== 0)
    const rivals = others.filter((other) => other.seq >= seq)
    const isLast = attempt >= OWN_RECORD_ATTEMPT_COUNT_MAX
    // Nobody has taken it: it may be forgotten.
    if (isOutdated && others.length > 0 && !isLast) continue
    if (rivals.length === 0 || isLast) {
      // Nodes that were behind refuse a put with `cas`.
      const isEverywhere = !isOutdated && after.every((other) => other.seq === seq)
      return { item, nodeCount: isEverywhere ? count : Math.max(count, (await dht.putItem(item)).count) }
    }
    await accuse([item, ...rivals], draft, memory, around)
    isWinner = rivals.every((other) => other.seq === seq && Buffer.compare(value, other.value) < 0)
    if (isWinner) continue
    // The other one may have noticed as well.
    await new Promise((resolve) => setTimeout(resolve, OWN_RECORD_PAUSE_MS))
    if (!draft.mayReplaceUnseen) await concede(dht, signer, draft, memory)
  }
}

/** Signs the other machine's word above ours, unless something is there by now. */
async function concede(dht: Dht, signer: Signer, draft: Draft, memory: PublisherMemory): Promise<void> {
  const items = await itemsOf(dht, signer, draft)
  const seq = newestOf(items)
  const [word, ...more] = items.filter((item) => item.seq === seq).sort((a, b) => Buffer.compare(a.value, b.value))
  if (word === undefined || more.length === 0) return
  const healed = signItem(signer.seed, { salt: draft.salt, seq: seq + 1, value: word.value })
  await dht.putItem(healed, { cas: seq })
  await memory.remember([healed])
}

async function itemsOf(dht: Dht | null, { publicKey }: Signer, { salt }: Draft): Promise<MutableItem[]> {
  return (await dht?.getItems(itemTarget(publicKey, salt), salt)) ?? []
}

const newestOf = (items: readonly MutableItem[]): number => items.reduce((max, { seq }) => Math.max(max, seq), -1)

/** @throws HelperError busy where what was not seen must stand */
function noteUnseen({ what, mayReplaceUnseen }: Draft, seq: number, { warn }: PublishSurroundings): void {
  if (!mayReplaceUnseen)
    throw new HelperError(
      'busy',
      `${what}: expected it as it was read, got seq ${seq}, which another machine with this key has signed, try again`,
    )
  warn?.(`${what}: seq ${seq} was signed by another machine with this key; what is published now replaces it`)
}

/** Keeps proof that the key, ours, signed two values for the newest seq, and says so. */
async function accuse(
  items: readonly MutableItem[],
  { what }: Draft,
  memory: PublisherMemory,
  { warn }: PublishSurroundings,
): Promise<void> {
  const seq = newestOf(items)
  const [one, other] = items.filter((item, index) => item.seq === seq && isFirstOfItsValue(item, index, items))
  if (one === undefined || other === undefined) return
  await memory.accuse([one, other])
  warn?.(
    `${what}: its key signed two values for seq ${seq}: another machine of yours at the same moment, or somebody else has the key`,
  )
}

function isFirstOfItsValue(item: MutableItem, index: number, items: readonly MutableItem[]): boolean {
  return items.findIndex((other) => other.seq === item.seq && Buffer.compare(other.value, item.value) === 0) === index
}
