// The bencode 4 face: byte strings are Uint8Arrays.
import core from './core.cjs'

const codec = core.makeCodec((bytes) => Uint8Array.from(bytes))

export const { encode, decode, byteLength, encodingLength } = codec
export default codec
