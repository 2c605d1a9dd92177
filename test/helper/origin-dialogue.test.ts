/**
 * Goal: what is asked of the origin ahead of its time never spoils what is asked of it later, whatever becomes of the answer and of the
 * connection.
 * Method: the dialogue alone, on connections made by hand that say what the test has them say.
 */

import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { it } from 'node:test'
import { HelperError } from '../../helper/errors.ts'
import { ByteReader } from '../../helper/remote/byte-reader.ts'
import { ByteWriter } from '../../helper/remote/byte-writer.ts'
import { OriginDialogue } from '../../helper/remote/origin-dialogue.ts'
import type { OriginStream } from '../../helper/remote/origin-stream.ts'
import { encodePacket } from '../../helper/remote/pkt-line.ts'
import { openTrace } from '../../helper/trace.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'

const FLUSH = Buffer.from('0000')
const GREETING = Buffer.concat([encodePacket('version 2\n'), FLUSH])
const ANSWER = Buffer.concat([encodePacket('packfile\n'), FLUSH])
const REQUEST = Buffer.concat([encodePacket('command=fetch\n'), FLUSH])

/** The status of a process that was ended by a signal. */
const KILLED = 128

/** One connection, on which the origin says so much and then waits. */
interface Connection extends OriginStream {
  readonly said: PassThrough
  readonly heard: PassThrough
}

function connectionThatSays(...parts: readonly Uint8Array[]): Connection {
  const [said, heard] = [new PassThrough(), new PassThrough()]
  for (const part of parts) said.write(part)
  const abandon = (): void => {
    said.destroy()
    heard.destroy()
  }
  const close = async (): Promise<number> => (said.destroyed ? KILLED : 0)
  return { said, heard, reader: new ByteReader(said), writer: new ByteWriter(heard), close, abandon }
}

/** A dialogue past its greeting, and what git gets of it. */
async function dialogueOf(reopen: () => Promise<OriginStream>) {
  const first = connectionThatSays(GREETING)
  const client = new PassThrough()
  const manners = { isStateless: false, reopen, trace: openTrace({}) }
  const dialogue = new OriginDialogue(first, new ByteWriter(client), manners)
  await dialogue.advertise(null, () => {})
  client.read()
  return { dialogue, first, client }
}

/** Opens one connection after the other; null is an origin that cannot be reached. */
function opening(connections: readonly (Connection | null)[]) {
  const opened = { count: 0 }
  const reopen = async (): Promise<OriginStream> =>
    connections[opened.count++] ?? assert.fail(new HelperError('origin-unreachable', 'no connection'))
  return { opened, reopen }
}

const unreachable = { code: 'origin-unreachable', message: 'no connection' }
const readFlush = (reader: ByteReader): Promise<Buffer | null> => reader.exactly(FLUSH.length)

it('an answer that made way for a question is gone, and one that is asked for after it is not', () =>
  withTemporaryDirectory(async (folder) => {
    const { dialogue } = await dialogueOf(async () => connectionThatSays(GREETING, FLUSH))
    const answer = dialogue.askBeside(REQUEST, [], folder)
    assert.equal(answer.isGone(), false)
    await dialogue.question(REQUEST, readFlush)
    assert.equal(answer.isGone(), true)
    const later = dialogue.askBeside(REQUEST, [], folder)
    answer.drop()
    assert.equal(later.isGone(), false)
    later.drop()
    assert.equal(later.isGone(), true)
    assert.equal(await dialogue.passAhead([]), null)
  }))

it('an answer that was dropped leaves nothing behind: nobody connects anew before there is something to ask', () =>
  withTemporaryDirectory(async (folder) => {
    const { opened, reopen } = opening([connectionThatSays(GREETING, ANSWER)])
    const { dialogue, first, client } = await dialogueOf(reopen)
    const before = dialogue.consumedBytes
    dialogue.askBeside(REQUEST, [], folder).drop()
    assert.equal(await dialogue.passAhead([]), null)
    assert.equal(first.said.destroyed, true)
    await dialogue.say(FLUSH)
    assert.equal(opened.count, 0)
    assert.equal(await dialogue.close(), 0)
    await dialogue.ask(REQUEST)
    assert.equal(await dialogue.passUnchanged(), true)
    assert.deepEqual(client.read(), ANSWER)
    assert.equal(dialogue.consumedBytes - before, ANSWER.length)
    assert.equal(await dialogue.close(), 0)
  }))

it('where the origin cannot be reached once, it is tried again for the next request, and the user reads why', () =>
  withTemporaryDirectory(async (folder) => {
    const { opened, reopen } = opening([null, null, null, connectionThatSays(GREETING, ANSWER)])
    const { dialogue, client } = await dialogueOf(reopen)
    dialogue.askBeside(REQUEST, [], folder).drop()
    dialogue.askAhead(REQUEST, [], folder)
    assert.equal(await dialogue.passAhead([]), null)
    assert.equal(opened.count, 1)
    await assert.rejects(dialogue.question(REQUEST, readFlush), unreachable)
    await assert.rejects(dialogue.ask(REQUEST), unreachable)
    await dialogue.ask(REQUEST)
    assert.equal(await dialogue.passUnchanged(), true)
    assert.deepEqual(client.read(), ANSWER)
  }))

it('a question that fails says why, and the request after it has a connection of its own', async () => {
  const second = connectionThatSays(GREETING)
  const { dialogue, first } = await dialogueOf(opening([second]).reopen)
  const failing = dialogue.question(REQUEST, () => Promise.reject(new Error('no such answer')))
  await assert.rejects(failing, { message: 'no such answer' })
  assert.equal(first.said.destroyed, true)
  await dialogue.ask(REQUEST)
  assert.deepEqual(second.heard.read(), REQUEST)
})

it('a connection that ends before its greeting is an origin that cannot be reached', async () => {
  const [mute, curt, whole] = [
    connectionThatSays(),
    connectionThatSays(GREETING.subarray(0, -2)),
    connectionThatSays(GREETING),
  ]
  const { dialogue, first } = await dialogueOf(opening([mute, curt, whole]).reopen)
  await assert.rejects(dialogue.question(REQUEST, () => Promise.reject(new Error())))
  assert.equal(first.said.destroyed, true)
  mute.said.end()
  curt.said.end()
  await assert.rejects(dialogue.ask(REQUEST), { code: 'origin-unreachable' })
  await assert.rejects(dialogue.ask(REQUEST), { code: 'origin-protocol' })
  assert.deepEqual(
    [mute, curt].map(({ heard }) => heard.destroyed),
    [true, true],
  )
  await dialogue.ask(REQUEST)
  assert.deepEqual(whole.heard.read(), REQUEST)
})
