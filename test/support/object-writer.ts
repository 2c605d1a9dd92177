/**
 * Makes git objects of any shape, the malformed ones included, and puts thousands of them into a repository at once:
 * as one pack of whole entries (gitformat-pack), which `git index-pack` reads and names by itself.
 * Faster than fast-import for odd objects, which it refuses, and than `git hash-object -w --literally`, one process each.
 * Shares no code with engine on purpose: it is on the side of the oracle.
 */

import { createHash, type Hash } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { git, gitBytes } from './git.ts'

export type ObjectFormat = 'sha1' | 'sha256'
export type ObjectType = 'commit' | 'tree' | 'blob' | 'tag'

const PACK_TYPE_CODES: Readonly<Record<ObjectType, number>> = { commit: 1, tree: 2, blob: 3, tag: 4 }

/** Collects objects in memory. Writing the same object twice keeps one. */
export interface ObjectWriter {
  readonly objectFormat: ObjectFormat
  /** Adds an object and returns its oid. The bytes are not checked and may be anything. */
  write(type: ObjectType, bytes: Uint8Array): string
  /** Stores everything written so far, and not stored yet, in a repository of the same object format. */
  store(directory: string): Promise<void>
}

/** Returns the oid of an object, as lowercase hex. */
export function oidOf(objectFormat: ObjectFormat, type: ObjectType, bytes: Uint8Array): string {
  return newHash(objectFormat).update(`${type} ${bytes.length}\0`).update(bytes).digest('hex')
}

/** Returns an empty writer. */
export function createObjectWriter(objectFormat: ObjectFormat): ObjectWriter {
  const known = new Set<string>()
  let entries: Uint8Array[] = []

  function write(type: ObjectType, bytes: Uint8Array): string {
    const oid = oidOf(objectFormat, type, bytes)
    if (!known.has(oid)) {
      known.add(oid)
      entries.push(packEntry(type, bytes))
    }
    return oid
  }

  async function store(directory: string): Promise<void> {
    if (entries.length === 0) return
    const input = pack(objectFormat, entries)
    entries = []
    await gitBytes(['index-pack', '--stdin'], { directory, input })
  }

  return { objectFormat, write, store }
}

/** Creates a bare repository in `directory`, which may exist and be empty. */
export async function createRepository(directory: string, objectFormat: ObjectFormat = 'sha1'): Promise<void> {
  await git(['init', '--quiet', '--bare', `--object-format=${objectFormat}`, directory])
}

/** Points refs at oids, all or none. `refs` maps full names to oids; an oid of zeros deletes. */
export async function writeRefs(directory: string, refs: ReadonlyMap<string, string>): Promise<void> {
  const input = [...refs].map(([name, oid]) => `update ${name} ${oid}\n`).join('')
  await git(['update-ref', '--stdin'], { directory, input })
}

function newHash(objectFormat: ObjectFormat): Hash {
  return createHash(objectFormat)
}

function packEntry(type: ObjectType, bytes: Uint8Array): Uint8Array {
  const header: number[] = []
  let rest = Math.floor(bytes.length / 16)
  let byte = (PACK_TYPE_CODES[type] << 4) | (bytes.length % 16)
  while (rest > 0) {
    header.push(byte | 0x80)
    byte = rest % 128
    rest = Math.floor(rest / 128)
  }
  header.push(byte)
  return Buffer.concat([Uint8Array.from(header), deflateSync(bytes, { level: 1 })])
}

function pack(objectFormat: ObjectFormat, entries: readonly Uint8Array[]): Uint8Array {
  const header = Buffer.alloc(12)
  header.write('PACK', 'latin1')
  header.writeUInt32BE(2, 4)
  header.writeUInt32BE(entries.length, 8)
  const content = Buffer.concat([header, ...entries])
  return Buffer.concat([content, newHash(objectFormat).update(content).digest()])
}
