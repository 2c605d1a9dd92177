// Fuzz target: what a client of 2015 sends. Hello and question may throw NetError only; a name has 20 bytes and is the one
// that stands in the message.
import { decodeAsk, decodeAskHello, encodeAskAnswer, encodeAskHello } from '../../net/ask.ts'
import { NetError } from '../../net/index.ts'
import { BENCODE_WORDS } from '../driver/seeds.ts'

export function fuzz(bytes: Uint8Array): void {
  quietly(() => {
    const id = decodeAskHello(bytes)
    if (id !== null && (id < 1 || id > 255)) throw new Error('a number that no message can have')
  })
  quietly(() => {
    const name = decodeAsk(bytes)
    if (name === null) return
    const isThere = Buffer.from(bytes).includes(Buffer.from(name).toString('hex'))
    if (name.length !== 20 || !isThere) throw new Error('a name that was not sent')
  })
}

function quietly(read: () => void): void {
  try {
    read()
  } catch (error) {
    if (!(error instanceof NetError)) throw error
  }
}

export function seeds(): Uint8Array[] {
  const question = `d10:gittorrentd3:sha40:${'0f'.repeat(20)}ee`
  return [encodeAskHello(), encodeAskAnswer(new Uint8Array(20)), Buffer.from(question)]
}

export const dictionary = [...BENCODE_WORDS, '10:gittorrent', '3:sha', '40:', '8:infoHash', '1:m', '13:ut_gittorrent']
