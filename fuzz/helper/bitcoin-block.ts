/**
 * Fuzz target of blocks, and of what OP_RETURN outputs register. Only HelperError may come out; data that is taken in is part of the
 * block, in its order. The header's Merkle root is mended first, or no changed block would get past it.
 */
import { createHash } from 'node:crypto'
import { HelperError } from '../../helper/errors.ts'
import { readBlock, unsignedTransaction } from '../../helper/names/bitcoin-block.ts'
import { readRegistration } from '../../helper/names/registration.ts'

const HEADER_LENGTH = 80
const twice = (bytes: Uint8Array): Buffer =>
  createHash('sha256').update(createHash('sha256').update(bytes).digest()).digest()

export function fuzz(bytes: Uint8Array): void {
  readRegistration(bytes.subarray(0, 90), { height: 1, transaction: 0, output: 0 })
  for (const block of [bytes, mended(bytes)]) {
    try {
      let before = -1
      for (const { transaction, output, bytes: data } of readBlock(block).carried) {
        const place = transaction * 2 ** 32 + output
        if (place <= before || data.length > block.length) throw new Error('out of order')
        before = place
        readRegistration(data, { height: 1, transaction, output })
      }
    } catch (error) {
      if (!(error instanceof HelperError)) throw error
    }
  }
}

/** As a block of one transaction without a witness has it. */
function mended(bytes: Uint8Array): Uint8Array {
  const block = Buffer.from(bytes)
  if (block.length > HEADER_LENGTH + 1) twice(block.subarray(HEADER_LENGTH + 1)).copy(block, 36)
  return block
}

export function seeds(): Uint8Array[] {
  return [`@gittorrent!alice!${'a'.repeat(40)}`, `@gittorrent!!${'b'.repeat(40)}`, 'x'].map((text) => {
    const transaction = unsignedTransaction(Buffer.from(text))
    // One input, so that the empty list is not taken for the mark of a witness.
    const input = Buffer.concat([Buffer.from([1]), Buffer.alloc(36), Buffer.from([0]), Buffer.alloc(4, 0xff)])
    const whole = Buffer.concat([transaction.subarray(0, 4), input, transaction.subarray(5)])
    return Buffer.concat([Buffer.alloc(HEADER_LENGTH), Buffer.from([1]), whole])
  })
}

export const dictionary = [
  '\x6a',
  '\x6a\x4c',
  '\xfd\xff\xff',
  '\xfe\xff\xff\xff\xff',
  '\xff',
  '\x00\x01',
  '@gittorrent!',
  '!',
]
