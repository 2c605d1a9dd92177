/**
 * Fuzz target of questions to the tunnel, which end in a `git upload-pack` of ours. Only Refusal may come out; what is taken in is
 * what our own encoder writes, within the bounds, and nothing else.
 */
import { TIP_HAVE_COUNT_MAX, TIP_WANT_COUNT_MAX } from '../../helper/publish/limits.ts'
import { decodeTipRequest, encodeTipRequest } from '../../helper/publish/tip-request.ts'
import { Refusal } from '../../net/index.ts'

export function fuzz(bytes: Uint8Array): void {
  try {
    const request = decodeTipRequest(bytes)
    const { wants, haves } = request
    if (wants.length < 1 || wants.length > TIP_WANT_COUNT_MAX || haves.length > TIP_HAVE_COUNT_MAX)
      throw new Error('out of bounds')
    if (Buffer.compare(encodeTipRequest(request), bytes) !== 0) throw new Error('another form')
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
  }
}

export function seeds(): Uint8Array[] {
  const [one, two, long] = ['1'.repeat(40), '2'.repeat(40), '3'.repeat(64)]
  return [
    encodeTipRequest({ objectFormat: 'sha1', wants: [one, two], haves: [two] }),
    encodeTipRequest({ objectFormat: 'sha1', wants: [one], haves: [] }),
    encodeTipRequest({ objectFormat: 'sha256', wants: [long], haves: [long] }),
  ]
}

export const dictionary = [
  '0000',
  '0001',
  '0032want ',
  '0032have ',
  '0009done\n',
  'object-format=sha256\n',
  'filter ',
  'deepen 1',
]
