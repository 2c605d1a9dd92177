/**
 * Goal: peers that claim the right thing and bring nothing of it keep no address from being met, those that bring something keep their
 * places, and who brought most is known.
 * Method: a download and a topic made up here, and a clock that the test turns.
 */

import assert from 'node:assert/strict'
import { beforeEach, it, mock } from 'node:test'
import { WAY_LENGTH, WAY_LOOK_MS, WAY_STILL_COUNT } from '../../helper/share/supply/limits.ts'
import { type BroughtBy, inOrderOfBringing, makeWayForOthers } from '../../helper/share/supply/way-for-others.ts'
import type { Address, Download, Topic } from '../../net/index.ts'

beforeEach(() => {
  mock.timers.reset()
  mock.timers.enable({ apis: ['setInterval'] })
})

/** A peer of the topic and the swarm, which brings so many blocks between two looks. */
class FakePeer {
  readonly address: Address
  readonly remote: Address
  readonly blockCount: number
  connected = true
  receivedLength = 0
  isDismissed = false

  constructor(port: number, blockCount: number) {
    this.address = { host: '192.0.2.1', port }
    this.remote = this.address
    this.blockCount = blockCount
  }

  dismiss(): void {
    this.isDismissed = true
  }
}

interface Scene {
  readonly brought: BroughtBy
  /** Addresses that the download is told of. */
  readonly preferred: Address[]
  readonly added: Address[]
  /** Those that wait for a place in the topic. */
  readonly waiting: readonly Address[]
  /** Those of them that get the next place. */
  readonly placed: Address[]
}

/** Looks so often, with these in the swarm; returns what is known of them then. */
function look(
  peers: readonly FakePeer[],
  lookCount: number,
  { brought = new Map(), preferred = [], waiting = [], added = [], placed = [] }: Partial<Scene> = {},
): BroughtBy {
  let takenLength = 0
  const progress = () => ({ takenLength, peers }) as unknown as ReturnType<Download['progress']>
  const placePeer = (address: Address): boolean => {
    const isWaiting = waiting.includes(address) && !peers.some(({ isDismissed }) => isDismissed)
    if (isWaiting && !placed.includes(address)) placed.push(address)
    return isWaiting
  }
  const topic = { peers: () => peers, waiting: () => waiting, preferPeer: placePeer } as unknown as Topic
  const addPeer = (address: Address): void => {
    added.push(address)
  }
  const preferPeer = (address: Address): void => {
    preferred.push(address)
  }
  const end = makeWayForOthers({ progress, addPeer, preferPeer }, topic, brought)
  for (let count = 0; count < lookCount; count++) {
    for (const peer of peers) {
      peer.receivedLength += peer.blockCount * WAY_LENGTH
      takenLength += peer.blockCount * WAY_LENGTH
    }
    mock.timers.tick(WAY_LOOK_MS)
  }
  end()
  return brought
}

it('where nothing moves for a while, those in the swarm who bring nothing make way', () => {
  const [mute, gone] = [new FakePeer(1, 0), new FakePeer(2, 0)]
  gone.connected = false
  look([mute, gone], WAY_STILL_COUNT - 1)
  assert.equal(mute.isDismissed, false)
  look([mute, gone], WAY_STILL_COUNT)
  assert.deepEqual([mute.isDismissed, gone.isDismissed], [true, false])
})

it('where something moves nobody makes way', () => {
  const [mute, honest] = [new FakePeer(1, 0), new FakePeer(2, 1)]
  look([mute, honest], 2 * WAY_STILL_COUNT)
  assert.deepEqual([mute.isDismissed, honest.isDismissed], [false, false])
})

it('who brought most comes first', () => {
  const peers = [new FakePeer(1, 0), new FakePeer(2, 1), new FakePeer(3, 5)]
  assert.deepEqual(
    inOrderOfBringing(look(peers, 3)).map(({ port }) => port),
    [3, 2],
  )
})

it('where nothing moves, who has brought something of another link is dialled, who is there is not again', () => {
  const [mute, honest] = [new FakePeer(1, 0), new FakePeer(2, 1)]
  const brought = look([honest], 2)
  const preferred: Address[] = []
  look([honest], 2, { brought, preferred })
  assert.deepEqual(preferred, [])
  look([mute], 1, { brought, preferred })
  assert.deepEqual(preferred, [honest.address])
})

it('where nothing moves, addresses that wait for a place in the topic are tried in the swarm', () => {
  const [mute, honest] = [new FakePeer(1, 0), new FakePeer(2, 1)]
  const waiting = [{ host: '192.0.2.2', port: 1 }]
  const added: Address[] = []
  look([mute, honest], 2, { waiting, added })
  assert.deepEqual(added, [])
  look([mute], 1, { waiting, added })
  assert.deepEqual(added, waiting)
})

it('who brings something and waits for a place in the topic gets the next one, from one who brings nothing', () => {
  const [mute, other, honest] = [new FakePeer(1, 0), new FakePeer(2, 0), new FakePeer(3, 1)]
  const placed: Address[] = []
  look([mute, other, honest], 3, { waiting: [{ host: '192.0.2.2', port: 1 }, honest.address], placed })
  assert.deepEqual(placed, [honest.address])
  assert.deepEqual(
    [mute, other, honest].map(({ isDismissed }) => isDismissed),
    [true, false, false],
  )
})

it('who has brought less than one who waits, and brings nothing now, gives up his place to him', () => {
  const [little, honest] = [new FakePeer(1, 1), new FakePeer(2, 5)]
  const brought = look([little, honest], 1)
  const [idle, bringing] = [new FakePeer(1, 0), new FakePeer(2, 5)]
  look([idle, bringing], 2, { brought, waiting: [honest.address] })
  assert.deepEqual([idle.isDismissed, bringing.isDismissed], [true, false])
})

it('who has brought something of another link keeps his place, though nothing of this one comes of him', () => {
  const [mute, honest] = [new FakePeer(1, 0), new FakePeer(2, 1)]
  const brought = look([honest], 1)
  const idle = new FakePeer(2, 0)
  look([mute, idle], WAY_STILL_COUNT, { brought })
  assert.deepEqual([mute.isDismissed, idle.isDismissed], [true, false])
})
