// Fuzz target: messages of the peer extension, alone and received by a channel with a question and an answer open.
import { AnswerBudget, Channel } from '../../net/channel.ts'
import { NetError } from '../../net/index.ts'
import { encodeMessage, parseMessage } from '../../net/messages.ts'

export function fuzz(bytes: Uint8Array): void {
  try {
    const message = parseMessage(bytes)
    if (message !== null) parseMessage(encodeMessage(message))
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
