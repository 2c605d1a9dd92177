/**
 * Refs documents for those who ask, of whom there may be many and who need not read what they get: of a document of 128 MiB each
 * page costs a page of memory, and what all of it says is found out once.
 */

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { SERVED_DOCUMENT_COUNT_MAX } from './limits.ts'
import type { PublisherFolder } from './publisher-folder.ts'
import { decodeRecord } from './record.ts'
import { decodeDocument } from './refs-document.ts'

export class ServedDocuments {
  readonly #folder: PublisherFolder
  /** Of documents that are here, by hash: whether this file is the one. */
  readonly #checked = new Map<string, { readonly identity: string; readonly isWhole: Promise<boolean> }>()
  /** By the documents that named them, in one text. */
  #advertised: { readonly named: string; readonly oids: Promise<ReadonlySet<string>> } | null = null

  constructor(folder: PublisherFolder) {
    this.#folder = folder
  }

  /** At most `lengthMax` bytes from `offset` on, none behind the end; null where there is no such document, or it was damaged. */
  async page(hash: string, offset: number, lengthMax: number): Promise<Uint8Array | null> {
    const path = this.#folder.documentPath(hash)
    const file = await open(path).catch(() => null)
    if (file === null) return null
    try {
      const { size, mtimeMs, ino } = await file.stat()
      if (!(await this.#isWhole(hash, path, `${size} ${mtimeMs} ${ino}`))) return null
      const page = new Uint8Array(Math.max(0, Math.min(lengthMax, size - offset)))
      const { bytesRead } = await file.read(page, 0, page.length, offset)
      return bytesRead === page.length ? page : null
    } finally {
      await file.close()
    }
  }

  #isWhole(hash: string, path: string, identity: string): Promise<boolean> {
    const known = this.#checked.get(hash)
    if (known?.identity === identity) return known.isWhole
    const isWhole = hashOfFile(path).then(
      (found) => found === hash,
      () => false,
    )
    if (this.#checked.size >= SERVED_DOCUMENT_COUNT_MAX) this.#checked.clear()
    this.#checked.set(hash, { identity, isWhole })
    return isWhole
  }

  /** Every oid that records of a repository name, the publisher's and those of delegates. */
  async advertised(name: string): Promise<ReadonlySet<string>> {
    const records = (await this.#folder.memory()).items().map(({ value }) => decodeRecord(value))
    const hashes = records.flatMap((record) =>
      record.type === 'repository' && record.name === name ? record.documentHash : [],
    )
    const named = [name, ...hashes].join(' ')
    if (this.#advertised?.named !== named) this.#advertised = { named, oids: this.#oidsIn(hashes) }
    return this.#advertised.oids
  }

  async #oidsIn(hashes: readonly string[]): Promise<ReadonlySet<string>> {
    const oids = new Set<string>()
    for (const hash of hashes) {
      const bytes = await this.#folder.document(hash)
      for (const { oid } of bytes === null ? [] : decodeDocument(bytes).refs) if (oid !== null) oids.add(oid)
    }
    return oids
  }
}

async function hashOfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const bytes of createReadStream(path)) hash.update(bytes)
  return hash.digest('hex')
}
