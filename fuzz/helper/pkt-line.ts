/**
 * Fuzz target of pkt-lines. The first byte says in how long pieces the rest arrives. Only HelperError may come out; packets
 * tile the stream, and the scanner, which puts none together, finds the same end.
 */

import { Readable } from 'node:stream'
import { HelperError } from '../../helper/errors.ts'
import { ByteReader } from '../../helper/remote/byte-reader.ts'
import { AnswerScanner, encodePacket, readPacket, textOf } from '../../helper/remote/pkt-line.ts'

export async function fuzz(bytes: Uint8Array): Promise<void> {
  const step = 1 + (bytes[0] ?? 0)
  const stream = Buffer.from(bytes.subarray(1))
  const chunks: Buffer[] = []
  for (let at = 0; at < stream.length; at += step) chunks.push(stream.subarray(at, at + step))
  const read = await endByReading(chunks)
  const scanned = endByScanning(chunks)
  if (read !== scanned) throw new Error(`the reader ends at ${read}, the scanner at ${scanned}`)
}

/** Offset behind the first flush; -1 where there is none, null where the bytes are refused. */
async function endByReading(chunks: readonly Buffer[]): Promise<number | null> {
  const reader = new ByteReader(Readable.from(chunks))
  let end = 0
  try {
    for (;;) {
      const packet = await readPacket(reader)
      if (packet === null) return -1
      textOf(packet)
      end += packet.raw.length
      if (reader.consumedBytes !== end) throw new Error('packets do not tile the stream')
      if (packet.kind === 'flush') return end
      if (packet.kind === 'data' && encodePacket(packet.payload).length !== packet.raw.length)
        throw new Error('a packet of another length')
    }
  } catch (error) {
    if (!(error instanceof HelperError)) throw error
    // A short end is an error of the reader's only: the scanner waits for more.
    return error.message.includes('ended early') || error.message.includes('the end of') ? -1 : null
  }
}

function endByScanning(chunks: readonly Buffer[]): number | null {
  const scanner = new AnswerScanner('flush')
  let before = 0
  try {
    for (const chunk of chunks) {
      const end = scanner.endIn(chunk)
      if (end >= 0) return before + end
      before += chunk.length
    }
    return -1
  } catch (error) {
    if (!(error instanceof HelperError)) throw error
    return null
  }
}

export function seeds(): Uint8Array[] {
  const lines = ['000eversion 2\n', '0012ls-refs=unborn\n', '0000', '0001', '0002', '0004', '0005a']
  const stream = Buffer.from(lines.join(''))
  return [
    Buffer.concat([Buffer.of(255), stream]),
    Buffer.concat([Buffer.of(2), stream]),
    Buffer.from('\x050005a0006bc0000'),
  ]
}

export const dictionary = ['0000', '0001', '0002', '0003', '0004', 'fff0', 'fff1', 'FFF0', '000a', '-001', '0x05']
