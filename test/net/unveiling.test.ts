/**
 * Goal: a source shows a crowd what its line carries, to all in turn, and nothing twice while it is on its way; peers that lie hold up nobody.
 * Method: the choice alone, with peers that are mere names and a clock that the test sets.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Availability } from '../../net/swarm/availability.ts'
import { Bitfield } from '../../net/swarm/bitfield.ts'
import { Unveiling } from '../../net/swarm/unveiling.ts'

/** A source of `pieceCount` pieces, and a crowd whose every word it hears. */
class Crowd {
  readonly unveiling: Unveiling<object>
  readonly #availability: Availability
  readonly #pieceCount: number
  readonly #pieces = new Map<object, Bitfield>()
  /** What waits for the source's line. */
  readonly #queue: { peer: object; index: number }[] = []

  constructor(pieceCount: number, peers: readonly object[], nowMs: number) {
    this.#availability = new Availability(pieceCount)
    this.unveiling = new Unveiling({ pieceCount, pieceLengthBytes: 65_536 }, this.#availability, () => 0)
    this.#pieceCount = pieceCount
    for (const peer of peers) this.add(peer, nowMs)
  }

  add(peer: object, nowMs: number): void {
    const pieces = new Bitfield(this.#pieceCount)
    this.#pieces.set(peer, pieces)
    this.unveiling.add(peer, pieces, nowMs)
  }

  /** What is shown now, in the order of `peers`. */
  show(peers: readonly object[], nowMs: number): number[][] {
    const chosen = this.unveiling.next(false, nowMs)
    return peers.map((peer) => chosen.get(peer) ?? [])
  }

  ask(peer: object, indexes: readonly number[], nowMs: number): void {
    for (const index of indexes) this.unveiling.onAsked(peer, index, nowMs)
  }

  /** The peer says what it had when it came. */
  resume(peer: object, indexes: readonly number[]): void {
    for (const index of indexes) {
      this.#pieces.get(peer)?.set(index)
      this.#availability.addPiece(index)
    }
    this.unveiling.onPieces(peer)
  }

  have(peer: object, index: number, nowMs: number): void {
    this.#pieces.get(peer)?.set(index)
    this.#availability.addPiece(index)
    this.unveiling.onHave(peer, index, nowMs)
  }

  /**
   * Has everybody ask for what is shown, and the source's line bring one piece after the other, `pieceMs` each, until `endMs`.
   * @param silent peers that do not ask
   * @returns how often each piece was sent, and the most that waited for the line in the second half of the time
   */
  run(nowMs: number, endMs: number, pieceMs: number, silent: ReadonlySet<object> = new Set()): Course {
    const queue = this.#queue
    const sentCounts = new Map<number, number>()
    let lineMs = nowMs
    let waitingCountMax = 0
    for (let atMs = nowMs; atMs < endMs; atMs += BEAT_MS) {
      for (; lineMs + pieceMs <= atMs; lineMs += pieceMs) {
        const next = queue.shift()
        if (next === undefined) continue
        sentCounts.set(next.index, (sentCounts.get(next.index) ?? 0) + 1)
        this.have(next.peer, next.index, atMs)
      }
      for (const [peer, indexes] of this.unveiling.next(false, atMs)) {
        if (silent.has(peer)) continue
        this.ask(peer, indexes, atMs)
        for (const index of indexes) queue.push({ peer, index })
      }
      if (2 * atMs > nowMs + endMs) waitingCountMax = Math.max(waitingCountMax, queue.length)
    }
    return { sentCounts, waitingCountMax }
  }
}

interface Course {
  readonly sentCounts: ReadonlyMap<number, number>
  readonly waitingCountMax: number
}

const BEAT_MS = 10
const names = (count: number): object[] => Array.from({ length: count }, () => ({}))

test('what a peer was shown is shown to nobody else while it may not have heard of it yet, and more when it seems to want other pieces', () => {
  const [mute, other] = [{}, {}]
  const crowd = new Crowd(16, [mute], 1_000)
  assert.deepEqual(crowd.show([mute], 1_000), [[0, 1, 2, 3]])
  assert.deepEqual(crowd.show([mute], 3_000), [[]])
  crowd.add(other, 3_000)
  assert.deepEqual(crowd.show([mute, other], 3_000), [[], [4, 5, 6, 7]])
  assert.deepEqual(crowd.show([mute], 6_001), [[8, 9, 10, 11, 12, 13, 14, 15]])
})

test('where pieces take two seconds each, one is not shown to a second peer after five, but after sixteen', () => {
  const [first, second] = [{}, {}]
  const crowd = new Crowd(4, [first], 1_000)
  const [shown = []] = crowd.show([first], 1_000)
  assert.deepEqual(shown, [0, 1, 2, 3])
  crowd.ask(first, shown, 1_000)
  crowd.have(first, 0, 3_000)
  crowd.add(second, 3_000)
  // It waits for nothing else, so that four times two seconds would do; the limit for those is 4 s.
  crowd.ask(second, [0], 3_000)
  assert.deepEqual(crowd.show([second], 4_900), [[]])
  assert.deepEqual(crowd.show([second], 5_001), [[1]])
  crowd.ask(second, [1], 5_001)
  assert.deepEqual(crowd.show([second], 16_900), [[]])
  assert.deepEqual(crowd.show([second], 17_001), [[2, 3, 0]])
})

test('a crowd behind a slow line has no more under way than the line carries in a second and a half, and is sent each piece once', () => {
  const crowd = new Crowd(400, names(32), 1_000)
  // 64 ms a piece: the first four of each would be eight seconds.
  const { sentCounts, waitingCountMax } = crowd.run(1_000, 23_000, 64)
  assert.ok(sentCounts.size > 340, `${sentCounts.size}`)
  assert.deepEqual([...new Set(sentCounts.values())], [1])
  assert.ok(waitingCountMax * 64 <= 1_500, `${waitingCountMax}`)
})

test('a crowd behind a fast line has enough under way to fill it, after a second at the most', () => {
  const crowd = new Crowd(8_000, names(16), 1_000)
  crowd.run(1_000, 2_000, 1)
  const { sentCounts } = crowd.run(2_000, 4_000, 1)
  assert.ok(sentCounts.size > 1_900, `${sentCounts.size} of 2000`)
})

test('pieces that peers with slow lines of their own take long to get leave room for the others', () => {
  const [slow, quick] = [{}, {}]
  const crowd = new Crowd(100, [slow, quick], 1_000)
  for (let nowMs = 1_000; nowMs < 41_000; nowMs += 4_000) {
    for (const [peer, indexes] of crowd.unveiling.next(false, nowMs)) {
      crowd.ask(peer, indexes, nowMs)
      for (const index of indexes) crowd.have(peer, index, nowMs + (peer === slow ? 3_900 : 50))
    }
  }
  const shown = crowd.show([slow, quick], 41_000).map((indexes) => indexes.length)
  assert.ok((shown[0] ?? 0) >= 4 && (shown[1] ?? 0) >= 4, `${shown}`)
})

test('peers that never ask for what they are shown hold up nobody', () => {
  const [honest, silent] = [names(4), names(28)]
  const crowd = new Crowd(400, [...silent, ...honest], 1_000)
  const { sentCounts } = crowd.run(1_000, 23_000, 64, new Set(silent))
  assert.ok(sentCounts.size > 280, `${sentCounts.size} of 343`)
})

test('a peer that asks for all it is shown and never has it holds its place for a while only', () => {
  const [greedy, honest] = [{}, {}]
  const crowd = new Crowd(16, [greedy], 1_000)
  const [shown = []] = crowd.show([greedy], 1_000)
  crowd.ask(greedy, shown, 1_000)
  crowd.add(honest, 1_000)
  assert.deepEqual(crowd.show([greedy, honest], 1_900), [[], []])
  assert.deepEqual(crowd.show([greedy, honest], 2_001), [[], [4, 5, 6, 7]])
})

test('a peer that says at once that it has what it never asked for makes no room', () => {
  const [liar, ...honest] = names(9)
  assert.ok(liar !== undefined)
  const crowd = new Crowd(1_000, [liar, ...honest], 1_000)
  for (let count = 0; count < 50; count++) {
    for (const index of crowd.show([liar], 1_000 + count)[0] ?? []) crowd.have(liar, index, 1_000 + count)
  }
  assert.ok(crowd.show(honest, 2_000).flat().length <= 4)
})

test('who resumes and has what it was shown before it could say so is shown something else at once', () => {
  const peer = {}
  const crowd = new Crowd(16, [peer], 1_000)
  assert.deepEqual(crowd.show([peer], 1_000), [[0, 1, 2, 3]])
  crowd.resume(peer, [0, 1, 2, 4])
  assert.deepEqual(crowd.show([peer], 1_100), [[5, 6, 7]])
})
