// Fuzz target: the codec that the dependencies see. It may refuse with an Error, what it accepts it can write again.
import { createRequire } from 'node:module'

const codec: { decode(bytes: Uint8Array): unknown; encode(value: unknown): Uint8Array } = createRequire(
  import.meta.url,
)('bencode')

export function fuzz(bytes: Uint8Array): void {
  let value: unknown
  try {
    value = codec.decode(bytes)
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError || !(error instanceof Error)) throw error
    return
  }
  codec.encode(value)
}
