/**
 * What this user has seen of one publisher: the last accepted item of each salt, the commitment to a next key as it was
 * first seen, and proof of misbehaviour. One JSON file per publisher, <data>/publishers/<id>/seen.json, replaced as a whole
 * under a lock, after what other processes wrote meanwhile was read: none of them forgets what another has seen.
 * The items are kept as they were signed, so that whoever followed a publisher can hand them on without the key.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeItem, encodeItem, type MutableItem } from '../../net/index.ts'
import { writeFileAtomically } from '../store/atomic-file.ts'
import { withLock } from '../store/lock-file.ts'
import { EVIDENCE_COUNT_MAX, GENUINE_ITEM_COUNT_MAX, PUBLISHER_LOCK_PATIENCE_MS } from './limits.ts'
import { commitmentOf } from './succession.ts'

interface Seen {
  readonly items: Readonly<Record<string, string>>
  /** The profile that named a successor first, as it was signed. */
  readonly commitment: string | null
  readonly evidence: readonly string[]
}

const NOTHING: Seen = { items: {}, commitment: null, evidence: [] }
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

export class PublisherMemory {
  readonly #path: string
  #seen: Seen

  private constructor(path: string, seen: Seen) {
    this.#path = path
    this.#seen = seen
  }

  /** @param folder that of the publisher; a file that cannot be read counts as nothing seen */
  static async open(folder: string): Promise<PublisherMemory> {
    const path = join(folder, 'seen.json')
    return new PublisherMemory(path, parseSeen(await readFile(path, 'utf8').catch(() => '')))
  }

  /** The last accepted item of a key and salt, or null. */
  item(key: Uint8Array, salt: Uint8Array): MutableItem | null {
    const encoded = this.#seen.items[slot(key, salt)]
    return encoded === undefined ? null : readItem(encoded)
  }

  /** Everything accepted, to be handed on; the profile that named a successor first is among it. */
  items(): MutableItem[] {
    const encoded = new Set([...Object.values(this.#seen.items), ...(this.#seen.commitment ?? '').split(' ')])
    return [...encoded].flatMap((text) => (text === '' ? [] : (readItem(text) ?? [])))
  }

  /** The commitment to the next key, as it was first seen. */
  get next(): string | null {
    const item = this.#seen.commitment === null ? null : readItem(this.#seen.commitment)
    return item === null ? null : commitmentOf(item)
  }

  /** Pairs of items that prove that a key signed two values for one seq. */
  get evidenceCount(): number {
    return this.#seen.evidence.length
  }

  /** Remembers accepted items (never older ones) and the first profile that names a successor. */
  async remember(items: readonly MutableItem[], commitment: MutableItem | null = null): Promise<void> {
    await this.#change(() => {
      const changed: Record<string, string> = {}
      for (const item of items) {
        const known = this.item(item.key, item.salt)
        if (known === null || known.seq < item.seq) changed[slot(item.key, item.salt)] = text(encodeItem(item))
      }
      const isFirst = this.#seen.commitment === null && commitment !== null
      if (Object.keys(changed).length === 0 && !isFirst) return null
      const first = isFirst ? text(encodeItem(commitment)) : this.#seen.commitment
      return { ...this.#seen, items: { ...this.#seen.items, ...changed }, commitment: first }
    })
  }

  /** Keeps proof of two values for one seq. */
  async accuse([a, b]: readonly [MutableItem, MutableItem]): Promise<void> {
    const proof = [a, b]
      .map((item) => text(encodeItem(item)))
      .sort()
      .join(' ')
    await this.#change(() => {
      const { evidence } = this.#seen
      if (evidence.includes(proof) || evidence.length >= EVIDENCE_COUNT_MAX) return null
      return { ...this.#seen, evidence: [...evidence, proof] }
    })
  }

  /** Reads again what is on disk, and writes what `change` makes of it; null leaves it. */
  #change(change: () => Seen | null): Promise<void> {
    return withLock(`${this.#path}.lock`, PUBLISHER_LOCK_PATIENCE_MS, async () => {
      this.#seen = parseSeen(await readFile(this.#path, 'utf8').catch(() => ''))
      const next = change()
      if (next === null) return
      this.#seen = next
      await writeFileAtomically(this.#path, [Buffer.from(`${JSON.stringify(next, null, 2)}\n`)])
    })
  }
}

function slot(key: Uint8Array, salt: Uint8Array): string {
  return `${text(key)}:${text(salt)}`
}

/** Genuine items by their text. Every question of a peer reads all of a publisher, and a signature takes half a millisecond. */
const genuine = new Map<string, MutableItem>()

function readItem(encoded: string): MutableItem | null {
  const known = genuine.get(encoded)
  if (known !== undefined) return known
  try {
    const item = decodeItem(Buffer.from(encoded, 'hex'))
    if (genuine.size >= GENUINE_ITEM_COUNT_MAX) genuine.clear()
    genuine.set(encoded, item)
    return item
  } catch {
    return null
  }
}

function parseSeen(json: string): Seen {
  if (json === '') return NOTHING
  try {
    const { items, commitment, evidence } = JSON.parse(json)
    return { items: items ?? {}, commitment: commitment ?? null, evidence: evidence ?? [] }
  } catch {
    return NOTHING
  }
}
