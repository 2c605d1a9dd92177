/**
 * Goal: what is asked of the origin ahead of its time never spoils what is asked of it later, whatever becomes of the answer and of the
 * connection.
 * Method: the dialogue alone, on connections made by hand that say what the test has them say.
 */

import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { it } from 'node:test'
import { ByteReader } from '../../helper/remote/byte-reader.ts'
import { ByteWriter } from '../../helper/remote/byte-writer.ts'
import { OriginDialogue } from '../../helper/remote/origin-dialogue.ts'
import type { OriginStream } from '../../helper/remote/origin-stream.ts'
import { encodePacket } from '../../helper/remote/pkt-line.ts'
import { openTrace } from '../../helper/trace.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'

const FLUSH = Buffer.from('0000')
const GREETING = Buffer.concat([encodePacket('version 2\n'), FLUSH])
const REQUEST = Buffer.concat([encodePacket('command=fetch\n'), FLUSH])

/** The origin's end of one connection. */
interface Connection extends OriginStream {
  /** What the origin says. */
  readonly said: PassThrough
  /** What it hears. */
  readonly heard: PassThrough
}

function connectionThatSays(...parts: readonly Uint8Array[]): Connection {
  const [said, heard] = [new PassThrough(), new PassThrough()]
  for (const part of parts) said.write(part)
  const abandon = (): void => {
    said.destroy()
    heard.destroy()
  }
  return { said, heard, reader: new ByteReader(said), writer: new ByteWriter(heard), close: async () => 0, abandon }
}

/** A dialogue past its greeting, and how it goes on when it is to connect anew. */
async function dialogueOf(reopen: () => Promise<OriginStream>) {
  const first = connectionThatSays(GREETING)
  const client = new PassThrough()
  const manners = { isStateless: false, reopen, trace: openTrace({}) }
  const dialogue = new OriginDialogue(first, new ByteWriter(client), manners)
  await dialogue.advertise(null, () => {})
  client.read()
  return { dialogue, first, client }
}

it('an answer that made way for a question is gone, and one that is asked for after it is not', () =>
  withTemporaryDirectory(async (folder) => {
    const { dialogue } = await dialogueOf(async () => connectionThatSays(GREETING, FLUSH))
    const answer = dialogue.askBeside(REQUEST, [], folder)
    assert.equal(answer.isGone(), false)
    await dialogue.question(REQUEST, (reader) => reader.exactly(FLUSH.length))
    assert.equal(answer.isGone(), true)
    const later = dialogue.askBeside(REQUEST, [], folder)
    answer.drop()
    assert.equal(later.isGone(), false)
    later.drop()
    assert.equal(later.isGone(), true)
    assert.equal(await dialogue.passAhead([]), null)
  }))
