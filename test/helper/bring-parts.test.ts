/**
 * Goal: what is there and verified stays as it is, whatever a web seed sends that is asked for the parts around it.
 * Method: a file that lacks some parts, and servers of this process that lie about those that are there; then an honest one.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { it } from 'node:test'
import { startStaticServer } from '../../bench/static-server.ts'
import { HelperError } from '../../helper/errors.ts'
import { IncomingFile } from '../../helper/share/supply/incoming.ts'
import { bringParts } from '../../helper/share/webseed/bring-parts.ts'
import { WebConnections } from '../../helper/share/webseed/http-get.ts'
import { withTemporaryDirectory } from '../support/temporary-directory.ts'

const PART_LENGTH = 50_000
const PAYLOAD = Buffer.concat([1, 2, 3].map((byte) => Buffer.alloc(PART_LENGTH, byte)))
const PARTS = [0, 1, 2].map((index) => {
  const range = { offset: index * PART_LENGTH, length: PART_LENGTH }
  return { ...range, digest: createHash('sha256').update(bytesOf(range, PAYLOAD)).digest('hex') }
})
const [, MIDDLE] = PARTS
const LIE = Buffer.from(PAYLOAD).fill(9, PART_LENGTH + PART_LENGTH / 2, 2 * PART_LENGTH)

function bytesOf({ offset, length }: { offset: number; length: number }, payload: Buffer): Buffer {
  return payload.subarray(offset, offset + length)
}

/** Brings all parts from a server that answers as `send` does: with what follows in `payload` from `start` on. */
async function bringFrom(
  file: IncomingFile,
  payload: Buffer,
  send: (response: ServerResponse, start: number) => void = (response, start) => response.end(payload.subarray(start)),
  onBytes: (count: number) => void = () => {},
): Promise<void> {
  const server = await startStaticServer('/nowhere', {
    intercept: (request, response) => {
      const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
      const range = `bytes ${start}-${payload.length - 1}/${payload.length}`
      response.writeHead(206, { 'content-range': range, 'content-length': payload.length - start })
      send(response, start)
      return true
    },
  })
  const connections = new WebConnections()
  try {
    const wanted = { payloadLength: payload.length, parts: PARTS, algorithm: 'sha256' as const }
    const { signal } = new AbortController()
    const from = { url: `${server.url}/link`, mustBePublic: false, connections, signal, onBytes }
    await bringParts(wanted, { ...from, file, fileStart: 0 })
  } finally {
    connections.close()
    await server.close()
  }
}

function withFile(use: (file: IncomingFile) => Promise<void>): Promise<void> {
  return withTemporaryDirectory(async (directory) => {
    const file = await IncomingFile.open(join(directory, 'gittorrent', 'incoming', 'link'))
    try {
      await use(file)
    } finally {
      await file.close()
    }
  })
}

/** As another source leaves the middle part. */
async function noteMiddle(file: IncomingFile): Promise<void> {
  assert.ok(MIDDLE !== undefined)
  await file.write(MIDDLE.offset, bytesOf(MIDDLE, PAYLOAD))
  file.noteArrived(MIDDLE)
}

const isLie = (error: unknown): boolean => error instanceof HelperError && error.code === 'chain-malformed'

/** Whatever counts as there is right. */
async function assertRight(file: IncomingFile): Promise<void> {
  for (const part of PARTS.filter((one) => file.hasArrived(one)))
    assert.deepEqual(Buffer.from(await file.read(part.offset, part.length)), bytesOf(part, PAYLOAD))
}

it('a part that is there is not spoiled by who is asked for those around it', () =>
  withFile(async (file) => {
    await noteMiddle(file)
    await assert.rejects(bringFrom(file, LIE), isLie)
    await assertRight(file)
    await bringFrom(file, PAYLOAD)
    assert.equal(file.arrivedFrom(0), PAYLOAD.length)
    await assertRight(file)
  }))

it('nor is one that another source brings meanwhile', () =>
  withFile(async (file) => {
    let onHalf: () => void = () => {}
    const isHalfThere = new Promise<void>((resolve) => {
      onHalf = resolve
    })
    let cameLength = 0
    const onBytes = (count: number): void => {
      cameLength += count
      if (cameLength >= 1.5 * PART_LENGTH) onHalf()
    }
    const send = async (response: ServerResponse): Promise<void> => {
      response.write(LIE.subarray(0, 1.5 * PART_LENGTH))
      await isHalfThere
      await noteMiddle(file)
      response.end(LIE.subarray(1.5 * PART_LENGTH))
    }
    await assert.rejects(
      bringFrom(file, LIE, (response) => void send(response), onBytes),
      isLie,
    )
    assert.equal(file.arrivedFrom(0), 2 * PART_LENGTH)
    await assertRight(file)
    await bringFrom(file, PAYLOAD)
    assert.equal(file.arrivedFrom(0), PAYLOAD.length)
    await assertRight(file)
  }))

it('nor is what is there of a part in the middle, in pieces', () =>
  withFile(async (file) => {
    assert.ok(MIDDLE !== undefined)
    const pieces = [0, PART_LENGTH / 2, 0.8 * PART_LENGTH].map((start) => {
      return { offset: MIDDLE.offset + start, length: PART_LENGTH / 10 }
    })
    for (const piece of pieces) {
      await file.write(piece.offset, bytesOf(piece, PAYLOAD))
      file.noteArrived(piece)
    }
    await assert.rejects(bringFrom(file, LIE), isLie)
    for (const piece of pieces)
      assert.deepEqual(Buffer.from(await file.read(piece.offset, piece.length)), bytesOf(piece, PAYLOAD))
    await bringFrom(file, PAYLOAD)
    assert.equal(file.arrivedFrom(0), PAYLOAD.length)
    await assertRight(file)
  }))
