/**
 * Fuzz target of blocks as a Bitcoin node sends them. Only HelperError may come out; what an output carries stands in the block.
 */

import { createHash } from 'node:crypto'
import { HelperError } from '../../helper/errors.ts'
import { readBlock, unsignedTransaction } from '../../helper/names/bitcoin-block.ts'

export function fuzz(bytes: Uint8Array): void {
  try {
    for (const { bytes: data } of readBlock(bytes).carried)
      if (!Buffer.from(bytes).includes(Buffer.from(data))) throw new Error('data that was not sent')
  } catch (error) {
    if (!(error instanceof HelperError)) throw error
  }
}

function doubleHash(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(createHash('sha256').update(bytes).digest()).digest()
}

export function seeds(): Uint8Array[] {
  const transaction = unsignedTransaction(Buffer.from('@gittorrent!name!key'))
  const header = Buffer.alloc(80)
  doubleHash(transaction).copy(header, 36)
  return [Buffer.concat([header, Buffer.from([1]), transaction])]
}

export const dictionary = [
  '\xfd\xff\xff',
  '\xfe\xff\xff\xff\xff',
  '\xff\xff\xff\xff\xff\xff\xff\xff\xff',
  '\0\x01',
  '\x6a\x4c',
]
