/**
 * Things by owner, with the owner of most of them at hand: who has to give one up when there is no more room.
 * Everything is in constant time: owners stand in sets by how many things they have, and a count changes by one at a time.
 */

export class Shares<Thing> {
  /** Things in the order in which they came. */
  readonly #owners = new Map<string, Set<Thing>>()
  /** Owners by the number of their things; those longest at that number first. */
  readonly #byCount = new Map<number, Set<string>>()
  /** Things of the owner who has most. */
  #countMax = 0
  #count = 0

  get count(): number {
    return this.#count
  }

  add(owner: string, thing: Thing): void {
    const things = this.#owners.get(owner) ?? new Set<Thing>()
    if (things.has(thing)) return
    this.#owners.set(owner, things)
    things.add(thing)
    this.#count += 1
    this.#move(owner, things.size - 1, things.size)
    this.#countMax = Math.max(this.#countMax, things.size)
  }

  delete(owner: string, thing: Thing): void {
    const things = this.#owners.get(owner)
    if (things?.delete(thing) !== true) return
    this.#count -= 1
    if (things.size === 0) this.#owners.delete(owner)
    this.#move(owner, things.size + 1, things.size)
    if (!this.#byCount.has(this.#countMax)) this.#countMax -= 1
  }

  #move(owner: string, from: number, to: number): void {
    const before = this.#byCount.get(from)
    before?.delete(owner)
    if (before?.size === 0) this.#byCount.delete(from)
    if (to === 0) return
    const there = this.#byCount.get(to) ?? new Set<string>()
    this.#byCount.set(to, there)
    there.add(owner)
  }

  /** The first thing of an owner of whom nobody has more; null if there is nothing. */
  oldestOfLargest(): Thing | null {
    const [owner] = this.#byCount.get(this.#countMax) ?? []
    const [oldest] = owner === undefined ? [] : (this.#owners.get(owner) ?? [])
    return oldest ?? null
  }
}
