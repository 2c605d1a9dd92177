/**
 * Lets one worker of a build at a time hold contents of tens of megabytes: a lock in shared memory. A worker has nothing
 * else to do while it waits, so it sleeps; whoever is inside waits for nobody but its own git.
 */

import type { HeavyGate } from '../../engine/index.ts'

const FREE = 0
const TAKEN = 1

/** The memory of a lock that is free. */
export function newHeavyLock(): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
}

/** One worker's door to the lock. */
export function heavyGateOf(lock: SharedArrayBuffer): HeavyGate {
  const state = new Int32Array(lock)
  return {
    enter() {
      while (Atomics.compareExchange(state, 0, FREE, TAKEN) !== FREE) Atomics.wait(state, 0, TAKEN)
    },
    leave() {
      Atomics.store(state, 0, FREE)
      Atomics.notify(state, 0, 1)
    },
  }
}
