/**
 * A reader of links written from engine/FORMAT.md alone; it shares no code with the engine. Bytes in, objects out.
 * Slow and plain on purpose: it is the second implementation that the document is held against.
 */

import { createHash } from 'node:crypto'
import { inflateSync } from 'node:zlib'

export interface ReadLink {
  readonly tip: string
  readonly base: string | null
  /** Oid to type name and content. */
  readonly objects: ReadonlyMap<string, { type: string; bytes: Buffer }>
  /** Deepest object of the link, counting the depths of bases that are handed in. */
  readonly depthMax: number
}

type Known = ReadonlyMap<string, { type: string; bytes: Buffer }>

const TYPES = ['', 'commit', 'tree', 'blob', 'tag']

/** Reads one payload; `older` has the objects of older segments. @throws Error where the document is not kept to */
export function readLink(payload: Buffer, hash: 'sha1' | 'sha256', older: Known): ReadLink {
  const hashLength = hash === 'sha1' ? 20 : 32
  const { tip, base, at: start } = readHeader(payload, hash)
  const pack = payload.subarray(start)
  if (pack.toString('latin1', 0, 4) !== 'PACK' || pack.readUInt32BE(4) !== 2) throw new Error('no pack of version 2')
  const trailerAt = pack.length - hashLength
  const digest = createHash(hash).update(pack.subarray(0, trailerAt)).digest()
  if (!digest.equals(pack.subarray(trailerAt))) throw new Error('the trailer is not the hash of the pack')
  const byOffset = new Map<number, { type: string; bytes: Buffer; depth: number }>()
  const objects = new Map<string, { type: string; bytes: Buffer }>()
  let at = 12
  for (let left = pack.readUInt32BE(8); left > 0; left--) {
    const entryAt = at
    let byte = pack[at++] ?? 0
    const type = (byte >> 4) & 7
    let length = byte & 15
    for (let factor = 16; byte >= 128; factor *= 128) {
      byte = pack[at++] ?? 0
      length += (byte & 127) * factor
    }
    let found: { type: string; bytes: Buffer; depth: number } | undefined
    if (type === 6) {
      byte = pack[at++] ?? 0
      let distance = byte & 127
      while (byte >= 128) {
        byte = pack[at++] ?? 0
        distance = (distance + 1) * 128 + (byte & 127)
      }
      found = byOffset.get(entryAt - distance)
      if (found === undefined) throw new Error('an OFS_DELTA without its base')
    } else if (type === 7) {
      // The base lies in an older segment, of this link or of an older one.
      const name = pack.toString('hex', at, at + hashLength)
      const known = objects.get(name) ?? older.get(name)
      if (known === undefined) throw new Error('a REF_DELTA whose base is not older')
      found = { ...known, depth: 0 }
      at += hashLength
    }
    const { buffer, engine } = inflateSync(pack.subarray(at), { info: true }) as unknown as {
      buffer: Buffer
      engine: { bytesWritten: number }
    }
    at += engine.bytesWritten
    if (buffer.length !== length) throw new Error('a stream of another length than declared')
    const bytes = found === undefined ? buffer : applyDelta(found.bytes, buffer)
    const name = found?.type ?? TYPES[type] ?? ''
    byOffset.set(entryAt, { type: name, bytes, depth: found === undefined ? 0 : found.depth + 1 })
    const oid = createHash(hash).update(`${name} ${bytes.length}\0`).update(bytes).digest('hex')
    if (objects.has(oid) || older.has(oid)) throw new Error(`object ${oid} twice`)
    objects.set(oid, { type: name, bytes })
  }
  if (at !== trailerAt) throw new Error('bytes between the last entry and the trailer')
  return { tip, base, objects, depthMax: Math.max(...[...byOffset.values()].map(({ depth }) => depth)) }
}

function readHeader(payload: Buffer, hash: 'sha1' | 'sha256'): { tip: string; base: string | null; at: number } {
  const end = payload.indexOf('\n\n')
  const lines = payload.toString('latin1', 0, end).split('\n')
  const first = hash === 'sha1' ? ['# v2 git bundle'] : ['# v3 git bundle', '@object-format=sha256']
  for (const line of first) if (lines.shift() !== line) throw new Error('another bundle header')
  const base = lines[0]?.startsWith('-') === true ? (lines.shift() ?? '').slice(1, -1) : null
  const [tip, ref] = (lines.shift() ?? '').split(' ')
  if (tip === undefined || ref !== `refs/heads/gittorrent/${tip}` || lines.length > 0)
    throw new Error('another bundle header')
  return { tip, base, at: end + 2 }
}

function applyDelta(base: Buffer, delta: Buffer): Buffer {
  let at = 0
  const size = (): number => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = delta[at++] ?? 0
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
  }
  if (size() !== base.length) throw new Error('a delta for another base')
  const resultLength = size()
  const parts: Buffer[] = []
  while (at < delta.length) {
    const op = delta[at++] ?? 0
    if (op === 0) throw new Error('the reserved instruction')
    if (op < 128) {
      parts.push(delta.subarray(at, at + op))
      at += op
      continue
    }
    let offset = 0
    let length = 0
    for (let bit = 0; bit < 4; bit++) if ((op & (1 << bit)) !== 0) offset += (delta[at++] ?? 0) * 256 ** bit
    for (let bit = 0; bit < 3; bit++) if ((op & (16 << bit)) !== 0) length += (delta[at++] ?? 0) * 256 ** bit
    parts.push(base.subarray(offset, offset + (length === 0 ? 65536 : length)))
  }
  const result = Buffer.concat(parts)
  if (result.length !== resultLength) throw new Error('a delta of another result')
  return result
}
