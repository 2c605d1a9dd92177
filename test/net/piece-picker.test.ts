// Goal: a piece counts as one with something to ask for as long as it has blocks that nobody was asked for, and no longer.
// Method: the picker alone, with four pieces of four blocks, and peers that have everything.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Availability } from '../../net/swarm/availability.ts'
import { Bitfield } from '../../net/swarm/bitfield.ts'
import { PiecePicker } from '../../net/swarm/piece-picker.ts'
import { BLOCK_LENGTH, type Block } from '../../net/swarm/wire-messages.ts'
import { checkTorrent } from '../../net/torrent.ts'
import { torrentOf } from './fixtures.ts'

const PIECE_COUNT = 4
const PIECE_LENGTH = 4 * BLOCK_LENGTH
const LENGTH = PIECE_COUNT * PIECE_LENGTH
const FULL = Bitfield.full(PIECE_COUNT)

function pickerOf(): PiecePicker {
  return new PiecePicker({
    torrent: checkTorrent(torrentOf(Buffer.alloc(LENGTH), PIECE_LENGTH)),
    have: new Bitfield(PIECE_COUNT),
    wanted: FULL,
    availability: new Availability(PIECE_COUNT),
    random: () => 0,
  })
}

/** Has `peer` asked for blocks until there is none. */
function askAll(picker: PiecePicker, peer: object): Block[] {
  const blocks: Block[] = []
  for (let block = picker.next(peer, FULL, null, 0); block !== null; block = picker.next(peer, FULL, null, 0)) {
    blocks.push(block)
  }
  return blocks
}

const placesOf = (blocks: readonly Block[]): string[] => blocks.map(({ index, offset }) => `${index} ${offset}`)

test('who brings a block after all that was given up is asked for all that is left, beyond its own piece, too', () => {
  const picker = pickerOf()
  const silent = {}
  const [probe, second] = [picker.next(silent, FULL, null, 0), picker.next(silent, FULL, null, 0)]
  assert.ok(probe !== null && second !== null)
  picker.release(silent, second)
  picker.release(silent, probe)
  picker.arrived(silent, probe, new Uint8Array(BLOCK_LENGTH))
  const asked = askAll(picker, silent)
  const expected = Array.from({ length: LENGTH / BLOCK_LENGTH - 1 }, (_, at) => {
    const offset = (at + 1) * BLOCK_LENGTH
    return `${Math.floor(offset / PIECE_LENGTH)} ${offset % PIECE_LENGTH}`
  })
  assert.deepEqual(placesOf(asked), expected)
})

test('a block that was given up and asked of somebody else is free again when he gives it up, too, and not before', () => {
  const picker = pickerOf()
  const [silent, second, third] = [{}, {}, {}]
  const block = picker.next(silent, FULL, null, 0)
  assert.ok(block !== null)
  picker.release(silent, block)
  const asked = askAll(picker, second)
  assert.equal(asked.length, LENGTH / BLOCK_LENGTH)
  assert.deepEqual(askAll(picker, third), [])
  picker.release(second, block)
  assert.deepEqual(askAll(picker, third), [block])
  picker.arrived(third, block, new Uint8Array(BLOCK_LENGTH))
  assert.deepEqual(askAll(picker, silent), [])
})
