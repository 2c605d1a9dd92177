/**
 * Fuzz target of questions to the tunnel. Only Refusal may come out; a question has one form, so that what is taken is written in
 * the same bytes, and nothing else ever reaches git.
 */

import { decodeTipRequest, encodeTipRequest } from '../../helper/publish/tip-request.ts'
import { Refusal } from '../../net/index.ts'

export function fuzz(bytes: Uint8Array): void {
  try {
    const request = decodeTipRequest(bytes)
    const isHex = [...request.wants, ...request.haves].every((oid) => /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(oid))
    if (!isHex || Buffer.compare(encodeTipRequest(request), bytes) !== 0) throw new Error('another question')
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
  }
}

export function seeds(): Uint8Array[] {
  const [one, two] = ['12'.repeat(20), '34'.repeat(20)]
  return [
    encodeTipRequest({ objectFormat: 'sha1', wants: [one], haves: [] }),
    encodeTipRequest({ objectFormat: 'sha1', wants: [one, two], haves: [two] }),
    encodeTipRequest({ objectFormat: 'sha256', wants: ['ab'.repeat(32)], haves: [] }),
  ]
}

export const dictionary = [
  '0000',
  '0001',
  '0032want ',
  '0032have ',
  '0009done\n',
  'deepen 1\n',
  'filter blob:none\n',
  '\n',
]
