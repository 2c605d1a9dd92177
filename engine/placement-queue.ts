/**
 * The queue of pending (object, placed neighbour) pairs: a binary heap on (weight, order of arrival), so that equal
 * weights never depend on anything but the algorithm's own steps. Weights are integers.
 */

export class PlacementQueue {
  #weights: number[] = []
  #orders: number[] = []
  #members: number[] = []
  #arrivals = 0

  get length(): number {
    return this.#weights.length
  }

  /** Adds a pair for `member`; returns its order of arrival, which names the pair. */
  push(weight: number, member: number): number {
    const order = this.#arrivals++
    let at = this.#weights.length
    this.#weights.push(weight)
    this.#orders.push(order)
    this.#members.push(member)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (this.#before(parent, at)) break
      this.#swap(parent, at)
      at = parent
    }
    return order
  }

  /** Removes the least pair: its member and its order of arrival; null when empty. */
  pop(): { member: number; order: number } | null {
    const last = this.#weights.length - 1
    if (last < 0) return null
    this.#swap(0, last)
    this.#weights.pop()
    const order = this.#orders.pop() ?? 0
    const member = this.#members.pop() ?? 0
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= last) break
      if (child + 1 < last && this.#before(child + 1, child)) child++
      if (this.#before(at, child)) break
      this.#swap(at, child)
      at = child
    }
    return { member, order }
  }

  #before(a: number, b: number): boolean {
    const weightA = this.#weights[a] ?? 0
    const weightB = this.#weights[b] ?? 0
    return weightA !== weightB ? weightA < weightB : (this.#orders[a] ?? 0) < (this.#orders[b] ?? 0)
  }

  #swap(a: number, b: number): void {
    swap(this.#weights, a, b)
    swap(this.#orders, a, b)
    swap(this.#members, a, b)
  }
}

function swap(array: number[], a: number, b: number): void {
  const kept = array[a] ?? 0
  array[a] = array[b] ?? 0
  array[b] = kept
}
