/**
 * Blocks and transactions as Bitcoin serialises them (protocol documentation, "block" and "tx"; BIP 144 for witnesses), read
 * for one purpose: the data that OP_RETURN outputs carry, in block order. The block's own hashes are checked: header, Merkle root,
 * and so every byte but the witnesses. Also the unsigned transaction of a registration.
 */
import { createHash } from 'node:crypto'
import { HelperError } from '../errors.ts'

export interface Block {
  /** As nodes print it: reversed, hexadecimal. */
  readonly hash: string
  readonly previousHash: string
  /** Unix seconds, from the header. */
  readonly time: number
  /** Data of each OP_RETURN output, with the index of its transaction and output. */
  readonly carried: readonly { readonly transaction: number; readonly output: number; readonly bytes: Uint8Array }[]
}

const HEADER_LENGTH = 80
const OP_RETURN = 0x6a
const OP_PUSHDATA1 = 0x4c

class Cursor {
  readonly bytes: Buffer
  at = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  take(length: number): Buffer {
    if (length > this.bytes.length - this.at) throw malformed('more bytes')
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  /** CompactSize. */
  size(): number {
    const first = this.take(1).readUInt8(0)
    if (first < 0xfd) return first
    if (first === 0xfd) return this.take(2).readUInt16LE(0)
    if (first === 0xfe) return this.take(4).readUInt32LE(0)
    const long = this.take(8).readBigUInt64LE(0)
    if (long > 0xffffffffn) throw malformed('a size within bounds')
    return Number(long)
  }
}

function doubleHash(...parts: Uint8Array[]): Buffer {
  const inner = createHash('sha256')
  for (const part of parts) inner.update(part)
  return createHash('sha256').update(inner.digest()).digest()
}

const shown = (hash: Uint8Array): string => Buffer.from(hash).reverse().toString('hex')

/** Reads a whole block. @throws HelperError 'name-unresolved' for anything that is none, or has a wrong Merkle root */
export function readBlock(bytes: Uint8Array): Block {
  const cursor = new Cursor(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  const header = cursor.take(HEADER_LENGTH)
  const carried: { transaction: number; output: number; bytes: Uint8Array }[] = []
  const ids: Buffer[] = []
  const count = cursor.size()
  for (let transaction = 0; transaction < count; transaction++) {
    const { id, scripts } = readTransaction(cursor)
    ids.push(id)
    for (const [output, script] of scripts.entries()) {
      const data = carriedBy(script)
      if (data !== null) carried.push({ transaction, output, bytes: Uint8Array.from(data) })
    }
  }
  if (cursor.at !== cursor.bytes.length) throw malformed('the end')
  if (!merkleRoot(ids).equals(header.subarray(36, 68))) throw malformed('the transactions of its header')
  const [hash, previousHash] = [shown(doubleHash(header)), shown(header.subarray(4, 36))]
  return { hash, previousHash, time: header.readUInt32LE(68), carried }
}

function readTransaction(cursor: Cursor): { id: Buffer; scripts: Buffer[] } {
  const version = cursor.take(4)
  const hasWitness = cursor.bytes[cursor.at] === 0 && cursor.bytes[cursor.at + 1] === 1
  if (hasWitness) cursor.take(2)
  const bodyStart = cursor.at
  const inputCount = cursor.size()
  for (let n = 0; n < inputCount; n++) {
    cursor.take(36)
    cursor.take(cursor.size())
    cursor.take(4)
  }
  const scripts: Buffer[] = []
  for (let left = cursor.size(); left > 0; left--) {
    cursor.take(8)
    scripts.push(cursor.take(cursor.size()))
  }
  const body = cursor.bytes.subarray(bodyStart, cursor.at)
  for (let input = 0; hasWitness && input < inputCount; input++) {
    for (let left = cursor.size(); left > 0; left--) cursor.take(cursor.size())
  }
  const lockTime = cursor.take(4)
  return { id: doubleHash(version, body, lockTime), scripts }
}

/** The one data push behind OP_RETURN, or null. */
function carriedBy(script: Buffer): Buffer | null {
  if (script[0] !== OP_RETURN || script.length < 2) return null
  const opcode = script[1] ?? 0
  if (opcode >= 1 && opcode < OP_PUSHDATA1) return script.length === 2 + opcode ? script.subarray(2) : null
  if (opcode === OP_PUSHDATA1) return script.length === 3 + (script[2] ?? 0) ? script.subarray(3) : null
  return null
}

function merkleRoot(ids: readonly Buffer[]): Buffer {
  let level = [...ids]
  while (level.length > 1) {
    const next: Buffer[] = []
    for (let n = 0; n < level.length; n += 2) {
      const [left = Buffer.alloc(0), right] = [level[n], level[n + 1]]
      // A list with its end repeated has the same root as without (CVE-2012-2459).
      if (right?.equals(left)) throw malformed('transactions that differ')
      next.push(doubleHash(left, right ?? left))
    }
    level = next
  }
  return level[0] ?? Buffer.alloc(0)
}

/** The script that carries up to 80 bytes. */
export function carryingScript(data: Uint8Array): Buffer {
  const push = data.length < OP_PUSHDATA1 ? [data.length] : [OP_PUSHDATA1, data.length]
  return Buffer.concat([Buffer.from([OP_RETURN, ...push]), data])
}

/** A transaction without inputs and with one output that carries `data`; a wallet funds and signs it. */
export function unsignedTransaction(data: Uint8Array): Buffer {
  const script = carryingScript(data)
  return Buffer.concat([
    Buffer.from([2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, script.length]),
    script,
    Buffer.alloc(4),
  ])
}

function malformed(expected: string): HelperError {
  return new HelperError('name-unresolved', `block: expected ${expected}, got something else`)
}
