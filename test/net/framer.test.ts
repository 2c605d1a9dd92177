// Goal: a byte stream is cut into the same frames however it is chopped up, and hostile ones end at once.
// Method: a law over random frames and cuts, and a table of violations.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Framer } from '../../net/framer.ts'
import { NetError } from '../../net/index.ts'
import { WIRE_MESSAGE_LENGTH_MAX } from '../../net/limits.ts'

const HANDSHAKE = Buffer.concat([
  Buffer.from('\x13BitTorrent protocol', 'latin1'),
  Buffer.alloc(8),
  Buffer.alloc(20, 1),
  Buffer.alloc(20, 2),
])

function frame(body: Uint8Array): Buffer {
  const prefix = Buffer.alloc(4)
  prefix.writeUInt32BE(body.length)
  return Buffer.concat([prefix, body])
}

function run(stream: Uint8Array, cuts: readonly number[], wants: (id: number) => boolean = () => true): Buffer {
  const framer = new Framer({ onHandshake: () => {}, wants })
  const out: Uint8Array[] = []
  let at = 0
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    out.push(...framer.push(stream.subarray(at, cut)))
    at = Math.max(at, cut)
  }
  out.push(...framer.push(stream.subarray(at)))
  return Buffer.concat(out)
}

test('frames do not depend on how the stream is cut', () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 })
  fc.assert(
    fc.property(bodies, fc.array(fc.nat(4000), { maxLength: 30 }), (list, cuts) => {
      const stream = Buffer.concat([HANDSHAKE, ...list.map(frame)])
      assert.deepEqual(run(stream, cuts), stream)
      const odd = Buffer.concat([
        HANDSHAKE,
        ...list.filter((body) => body.length === 0 || (body[0] ?? 0) % 2 === 1).map(frame),
      ])
      assert.deepEqual(
        run(stream, cuts, (id) => id % 2 === 1),
        odd,
      )
    }),
  )
})

test('single bytes at a time cost linear time', () => {
  const stream = Buffer.concat([HANDSHAKE, frame(Buffer.alloc(WIRE_MESSAGE_LENGTH_MAX))])
  const framer = new Framer({ onHandshake: () => {}, wants: () => true })
  let length = 0
  for (let at = 0; at < stream.length; at++)
    for (const part of framer.push(stream.subarray(at, at + 1))) length += part.length
  assert.equal(length, stream.length)
})

test('the handshake tells infohash, peer id and extension bit', () => {
  const seen: unknown[] = []
  const extended = Buffer.from(HANDSHAKE)
  extended[25] = 0x10
  new Framer({ onHandshake: (handshake) => seen.push(handshake), wants: () => true }).push(extended)
  assert.deepEqual(seen, [
    { infohash: new Uint8Array(20).fill(1), peerId: new Uint8Array(20).fill(2), extended: true, fast: false },
  ])
})

test('wrong handshakes and too long messages are refused from their first bytes', () => {
  const refused = (stream: Uint8Array): void => {
    const framer = new Framer({ onHandshake: () => {}, wants: () => true })
    assert.throws(() => framer.push(stream), NetError)
  }
  refused(Buffer.from('GET / HTTP/1.1\r\n'))
  refused(Buffer.concat([Buffer.from('\x13BitTorrent protocoX', 'latin1'), Buffer.alloc(48)]))
  const prefix = Buffer.alloc(4)
  prefix.writeUInt32BE(WIRE_MESSAGE_LENGTH_MAX + 1)
  refused(Buffer.concat([HANDSHAKE, prefix]))
  refused(Buffer.concat([HANDSHAKE, Buffer.from('ffffffff', 'hex')]))
})
