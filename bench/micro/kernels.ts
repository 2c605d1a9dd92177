/**
 * The kernels, each with the bytes that one call handles and the bound that it is held against: copying as many bytes
 * (memory bandwidth), zlib's own speed, node:crypto's own speed. Bounds are measured in the same run, in turn with the kernels.
 */

import { createHash, generateKeyPairSync, sign, verify } from 'node:crypto'
import { deflateSync, inflateSync } from 'node:zlib'
import { assembleBody } from '../../engine/body.ts'
import { DeltaBase, DeltaEncoder } from '../../engine/delta-encode.ts'
import {
  applyDelta,
  createCheckpointRule,
  createInflate,
  deflateReference,
  GT1,
  oidFromBytes,
  pieceLengthOf,
  readPackBody,
  sourceOfBytes,
  totalsOf,
} from '../../engine/index.ts'
import { allocateTable, viewTable } from '../../engine/object-table.ts'
import { OidIndex } from '../../engine/oid-index.ts'
import { diffTrees } from '../../engine/tree-diff.ts'
import { pickDeflate } from '../../helper/build/deflate.ts'
import { verifyEd25519 } from '../../net/ed25519.ts'
import { type Bencode, bencodeDict, decodeBencode, encodeBencode } from '../../net/index.ts'
import { noise, oids, shuffled, trees, versions } from './material.ts'

export interface Kernel {
  readonly name: string
  /** Bytes that one call handles. */
  readonly lengthBytes: number
  /** Name of its bound; null for a bound. */
  readonly bound: string | null
  readonly run: () => unknown
}

const COPY = 'copy'
const DEFLATE = 'zlib deflate'
const INFLATE = 'zlib inflate'
const SHA1 = 'crypto SHA-1'
const SHA256 = 'crypto SHA-256'
const VERIFY = 'crypto Ed25519'
const NO_BYTES = new Uint8Array(0)

export async function kernels(): Promise<Kernel[]> {
  return [...bounds(), ...(await ofHistory()), ...ofDeltas(), ...(await ofPacks()), ...ofNetwork()]
}

/** Eight MiB of noise. */
const large = new Uint8Array(2 ** 23).map((_, at) => noise[at % noise.length] ?? 0)
const streams = versions.map((bytes) => new Uint8Array(deflateSync(bytes, { level: 6 })))

function bounds(): Kernel[] {
  // 64 MiB, which the caches of few machines hold.
  const source = new Uint8Array(2 ** 26).fill(1)
  const target = new Uint8Array(source.length)
  const bound = (name: string, lengthBytes: number, run: () => unknown) => ({ name, lengthBytes, bound: null, run })
  const { publicKey, message, signature } = record()
  const [first = NO_BYTES] = versions
  const [stream = NO_BYTES] = streams
  return [
    bound(COPY, source.length, () => target.set(source)),
    bound(DEFLATE, first.length, () => deflateSync(first, { level: 6 })),
    bound(INFLATE, first.length, () => inflateSync(stream)),
    bound(SHA1, large.length, () => createHash('sha1').update(large).digest()),
    bound(SHA256, large.length, () => createHash('sha256').update(large).digest()),
    bound(VERIFY, message.length, () => verify(null, message, publicKey, signature)),
  ]
}

function record() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const message = noise.subarray(0, 1000)
  const raw = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' })).subarray(-32)
  return { publicKey, raw, message, signature: sign(null, message, privateKey) }
}

async function ofHistory(): Promise<Kernel[]> {
  const levelOf = await createCheckpointRule(GT1)
  const names = Array.from({ length: oids.length / 20 }, (_, index) => oidFromBytes(oids, index * 20, 20))
  const [newTree, oldTree] = trees
  const pair = { tree: '0'.repeat(40), olds: ['1'.repeat(40)] }
  const read = async (wanted: readonly string[]) => wanted.map((oid) => (oid === pair.tree ? newTree : oldTree))
  const filled = new OidIndex(20)
  for (let at = 0; at < oids.length; at += 20) filled.add(oids, at)
  return [
    kernel('checkpoint rule', oids.length, COPY, () => names.map(levelOf)),
    kernel('oid index, fill', oids.length, COPY, () => {
      const index = new OidIndex(20)
      for (let at = 0; at < oids.length; at += 20) index.add(oids, at)
    }),
    kernel('oid index, find', oids.length, COPY, () => {
      for (let at = 0; at < oids.length; at += 20) filled.find(oids, at)
    }),
    kernel('tree difference', newTree.length + oldTree.length, COPY, () => diffTrees([pair], 20, read)),
  ]
}

function ofDeltas(): Kernel[] {
  const encoder = new DeltaEncoder()
  const length = versions.reduce((sum, bytes) => sum + bytes.length, 0)
  const bases = versions.map((bytes) => new DeltaBase(bytes))
  const first = bases[0] ?? new DeltaBase(NO_BYTES)
  const encode = (base: DeltaBase, target: DeltaBase) => encoder.encode(base, target, target.bytes.length)
  const deltas = bases.map((target) => encode(first, target) ?? NO_BYTES)
  const [source, moved] = shuffled.map((bytes) => new DeltaBase(bytes))
  const noisy = new DeltaBase(noise)
  const one = source ?? first
  const other = moved ?? first
  return [
    kernel('delta encode, neighbours', length, COPY, () => bases.map((target) => encode(first, target))),
    kernel('delta encode, moved parts', other.bytes.length, COPY, () => encode(one, other)),
    kernel('delta encode, no match (word hash)', noise.length, COPY, () => encode(one, noisy)),
    kernel('delta encode, index of a base', one.bytes.length, COPY, () => {
      one.heads = null
      encoder.encode(one, noisy, 16)
    }),
    kernel('delta apply', length, COPY, () => deltas.map((delta) => applyDelta(first.bytes, delta))),
  ]
}

async function ofPacks(): Promise<Kernel[]> {
  const deflate = pickDeflate()
  const inflate = createInflate()
  const [first = NO_BYTES] = versions
  const [stream = NO_BYTES] = streams
  const count = 5000
  const table = viewTable(allocateTable(20, count))
  table.types.fill(3)
  const numbers = Int32Array.from({ length: count }, (_, index) => index)
  const piece = deflateSync(first.subarray(0, 200))
  const shard = {
    numbers,
    bases: numbers.map(() => -1),
    depths: new Uint8Array(count),
    lengths: new Float64Array(count).fill(200),
    dataEnds: Float64Array.from(numbers, (index) => (index + 1) * piece.length),
    data: new Uint8Array(Buffer.concat(Array.from({ length: count }, () => piece))),
  }
  const writeBody = async (): Promise<Uint8Array> => {
    const parts: Uint8Array[] = []
    for await (const part of assembleBody([shard], table, null).parts()) parts.push(part)
    return Buffer.concat(parts)
  }
  const body = await writeBody()
  const source = sourceOfBytes(body)
  return [
    kernel('deflate, chosen', first.length, DEFLATE, () => deflate(first)),
    kernel('deflate, pako', first.length, DEFLATE, () => deflateReference(first)),
    kernel('inflate, pako', first.length, INFLATE, () => inflate(stream, first.length)),
    kernel('pack write', body.length, COPY, writeBody),
    kernel('pack read, pako', count * 200, INFLATE, () =>
      totalsOf(readPackBody({ source, hashLength: 20, inflate }, count)),
    ),
  ]
}

function ofNetwork(): Kernel[] {
  const pieceLength = pieceLengthOf(large.length)
  const hashPieces = (algorithm: string) => (): void => {
    for (let at = 0; at < large.length; at += pieceLength) {
      createHash(algorithm)
        .update(large.subarray(at, at + pieceLength))
        .digest()
    }
  }
  const segment: Bencode = [noise.subarray(0, 20), 500n, 60n, 1_000_000n, noise.subarray(20, 52)]
  const link = bencodeDict({
    b: noise.subarray(0, 20),
    k: 5n,
    p: large.subarray(0, 40_000),
    x: new Array(200).fill(segment),
  })
  const answer = bencodeDict({ c: new Array(4).fill(link), v: 1n })
  const bytes = encodeBencode(answer)
  const { raw, message, signature } = record()
  return [
    kernel('pieces, SHA-1', large.length, SHA1, hashPieces('sha1')),
    kernel('pieces, SHA-256', large.length, SHA256, hashPieces('sha256')),
    kernel('bencode, write', bytes.length, COPY, () => encodeBencode(answer)),
    kernel('bencode, read', bytes.length, COPY, () => decodeBencode(bytes)),
    kernel('record verify', message.length, VERIFY, () => verifyEd25519(signature, message, raw)),
  ]
}

function kernel(name: string, lengthBytes: number, bound: string, run: () => unknown): Kernel {
  return { name, lengthBytes, bound, run }
}
