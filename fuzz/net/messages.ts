// Fuzz target: messages of the peer extension, alone and received by a channel with a question and an answer open.
// It may throw NetError only.

import { AnswerBudget } from '../../net/answers.ts'
import { Channel } from '../../net/channel.ts'
import { NetError } from '../../net/index.ts'
import { encodeMessage, type Message, parseMessage } from '../../net/messages.ts'
import { BENCODE_WORDS } from '../driver/seeds.ts'

export function fuzz(bytes: Uint8Array): void {
  try {
    const message = parseMessage(bytes)
    if (message !== null) {
      const again = encodeMessage(message)
      // Unknown keys are dropped; what stays is a fixed point.
      const third = parseMessage(again)
      if (third === null || Buffer.compare(encodeMessage(third), again) !== 0) throw new Error('a message changes')
    }
  } catch (error) {
    if (!(error instanceof NetError)) throw error
  }
  const channel = new Channel({
    send: () => {},
    drop: () => {},
    answer: async () => new Uint8Array(10),
    budget: new AnswerBudget(100),
  })
  channel.request('get', new Uint8Array(0), { timeoutMs: 1_000, responseLengthMax: 100 }).catch(() => {})
  channel.receive(bytes)
  channel.close(new NetError('closed', 'end of input'))
}

export function seeds(): Uint8Array[] {
  const bytes = Buffer.from('payload')
  const messages: Message[] = [
    { type: 'request', id: 1, kind: 'get', payload: bytes, lengthMax: 100 },
    { type: 'response', id: 1, length: 7 },
    { type: 'chunk', id: 1, bytes },
    { type: 'credit', id: 1, length: 7 },
    { type: 'error', id: 1, reason: 'not-found' },
    { type: 'cancel', id: 1 },
  ]
  return messages.map(encodeMessage)
}

export const dictionary = BENCODE_WORDS
