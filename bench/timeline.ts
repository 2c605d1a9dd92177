/**
 * Virtual time: events in order, run one after the other without waiting for a clock. What settles a promise lets whoever waits
 * for it go on before the next event, so that a course follows from its seed alone.
 */

interface Event {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
  /** Promises are settled by it: what waits for them has to run before the next event. */
  readonly settles: boolean
}

/** Events by time, those of the same time in the order in which they were made. */
export class Timeline {
  nowMs = 1
  readonly #heap: Event[] = []
  #order = 0

  at(atMs: number, run: () => void, settles = false): void {
    const event = { atMs: Math.max(atMs, this.nowMs), order: this.#order++, run, settles }
    const heap = this.#heap
    heap.push(event)
    for (let child = heap.length - 1; child > 0; ) {
      const parent = (child - 1) >> 1
      if (!isBefore(event, heap[parent])) break
      heap[child] = heap[parent] ?? event
      heap[parent] = event
      child = parent
    }
  }

  #take(): Event | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return first
    let parent = 0
    for (;;) {
      let child = 2 * parent + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child += 1
      if (!isBefore(heap[child], last)) break
      heap[parent] = heap[child] ?? last
      parent = child
    }
    heap[parent] = last
    return first
  }

  /** Runs until `isOver`, or until nothing is left to happen, or until `endMs`. */
  async run(isOver: () => boolean, endMs: number): Promise<void> {
    while (!isOver()) {
      const event = this.#take()
      if (event === undefined || event.atMs > endMs) return
      this.nowMs = event.atMs
      event.run()
      if (event.settles) for (let turn = 0; turn < 12; turn++) await null
    }
  }
}

function isBefore(a: Event | undefined, b: Event | undefined): boolean {
  if (a === undefined || b === undefined) return a !== undefined
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
