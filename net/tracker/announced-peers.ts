/**
 * Who has announced what at our tracker, and whom an asker hears of. Knows no sockets; time and chance may be injected.
 * A host (IPv4 address, on loopback each source port) or IPv6 network (/64) fills its own share only: it has few places per infohash, and
 * where an infohash or the whole is full, the host that has most places loses its oldest one. So a flood pushes out itself.
 * Nobody hears of addresses of a lower class than his own (PROTOCOL.md section 5).
 */
import { isIP, isIPv6 } from 'node:net'
import { type Address, type AddressClass, classOfHost, formatAddress, mayHearOf } from '../address.ts'
import {
  TRACKER_PEER_AGE_MS_MAX,
  TRACKER_PEER_COUNT_MAX,
  TRACKER_PER_HOST_COUNT_MAX,
  TRACKER_PER_INFOHASH_COUNT_MAX,
  TRACKER_PER_NETWORK_COUNT_MAX,
} from '../limits.ts'
import { type Clock, MONOTONIC } from '../rate.ts'
import { Shares } from '../shares.ts'

/** What one announcement says, and who made it. */
export interface Announcement {
  readonly infohashHex: string
  readonly peerIdHex: string
  /** The host that the tracker saw, and the port that it was told; 0 and 1 mean that nobody can dial. */
  readonly address: Address
  /** Who is charged for it. */
  readonly owner: string
  readonly seeding: boolean
  readonly stopped: boolean
  /** Peers that are wanted at most. */
  readonly wantedCount: number
  /** The only addresses that can be told; null: all. */
  readonly onlyFamily: 4 | 6 | null
  /** Our own address as the asker dialled it; null where that is not known. */
  readonly reachedAt: string | null
}

export interface Counts {
  readonly seederCount: number
  readonly leecherCount: number
}

export interface Answer extends Counts {
  readonly peers: readonly Address[]
}

interface Place {
  readonly key: string
  readonly infohashHex: string
  readonly peerIdHex: string
  readonly address: Address
  readonly addressClass: AddressClass
  /** 4 or 6. */
  readonly family: number
  readonly owner: string
  readonly seeding: boolean
  readonly atMs: number
}

export class AnnouncedPeers {
  readonly #clock: Clock
  readonly #randomBelow: (bound: number) => number
  /** By infohash, then by address. */
  readonly #infohashes = new Map<string, Map<string, Place>>()
  /** All of them, those not heard of for longest first. */
  readonly #byAge = new Set<Place>()
  readonly #shares = new Shares<Place>()

  constructor(
    clock: Clock = MONOTONIC,
    randomBelow: (bound: number) => number = (bound) => Math.floor(Math.random() * bound),
  ) {
    this.#clock = clock
    this.#randomBelow = randomBelow
  }

  /** Takes note of who announces and says whom else to try, in no order that others could bring about. */
  announce(announcement: Announcement): Answer {
    this.#forgetOld()
    const key = formatAddress(announcement.address)
    if (announcement.stopped) this.#leave(announcement, key)
    else if (announcement.address.port > 1) this.#keep(announcement, key)
    const others = [...(this.#infohashes.get(announcement.infohashHex)?.values() ?? [])]
    return { ...countsOf(others), peers: this.#choose(others, announcement, key) }
  }

  /** How many are there (BEP 48). */
  counts(infohashHex: string): Counts {
    this.#forgetOld()
    return countsOf([...(this.#infohashes.get(infohashHex)?.values() ?? [])])
  }

  #keep({ infohashHex, peerIdHex, address, owner, seeding }: Announcement, key: string): void {
    const there = this.#infohashes.get(infohashHex) ?? new Map<string, Place>()
    const before = there.get(key)
    if (before !== undefined) this.#forget(before)
    else this.#makeRoom(there, address.host, owner)
    // Forgetting the last one drops the map.
    this.#infohashes.set(infohashHex, there)
    const { host } = address
    const of = { addressClass: classOfHost(host), family: isIP(host) }
    const place = { key, infohashHex, peerIdHex, address, ...of, owner, seeding, atMs: this.#clock.nowMs() }
    there.set(key, place)
    this.#byAge.add(place)
    this.#shares.add(owner, place)
  }

  #makeRoom(there: ReadonlyMap<string, Place>, host: string, owner: string): void {
    const own = [...there.values()].filter((place) => place.owner === owner)
    const [oldest] = own
    const isNetwork = isIPv6(host) && classOfHost(host) !== 'loopback'
    const ownCountMax = isNetwork ? TRACKER_PER_NETWORK_COUNT_MAX : TRACKER_PER_HOST_COUNT_MAX
    if (own.length >= ownCountMax && oldest !== undefined) this.#forget(oldest)
    else if (there.size >= TRACKER_PER_INFOHASH_COUNT_MAX) this.#forget(oldestOfLargest([...there.values()]))
    if (this.#shares.count >= TRACKER_PEER_COUNT_MAX) this.#forget(this.#shares.oldestOfLargest())
  }

  /** Who leaves may say another port than before, or none. */
  #leave({ infohashHex, peerIdHex, address }: Announcement, key: string): void {
    for (const place of [...(this.#infohashes.get(infohashHex)?.values() ?? [])]) {
      const isSamePeer = place.peerIdHex === peerIdHex && place.address.host === address.host
      if (place.key === key || isSamePeer) this.#forget(place)
    }
  }

  #forgetOld(): void {
    const sinceMs = this.#clock.nowMs() - TRACKER_PEER_AGE_MS_MAX
    for (const place of this.#byAge) {
      if (place.atMs > sinceMs) return
      this.#forget(place)
    }
  }

  #forget(place: Place | null): void {
    if (place === null) return
    const there = this.#infohashes.get(place.infohashHex)
    there?.delete(place.key)
    if (there?.size === 0) this.#infohashes.delete(place.infohashHex)
    this.#byAge.delete(place)
    this.#shares.delete(place.owner, place)
  }

  /** Chosen by chance; who lacks something hears of those first who have it all, and the other way round. */
  #choose(others: readonly Place[], asker: Announcement, ownKey: string): Address[] {
    const { onlyFamily, seeding, wantedCount } = asker
    const tellable = others.filter(({ key, family }) => key !== ownKey && (onlyFamily ?? family) === family)
    const hosts = hostsFor(asker)
    const chosen: Address[] = []
    for (const isSeeding of [!seeding, seeding]) {
      const group = tellable.filter((place) => place.seeding === isSeeding)
      while (group.length > 0 && chosen.length < wantedCount) {
        const place = takeAt(group, this.#randomBelow(group.length))
        const host = place === null ? null : hosts(place)
        if (place !== null && host !== null) chosen.push({ host, port: place.address.port })
      }
    }
    return chosen
  }
}

/** Takes an element out, in constant time, without regard to the order of the others. */
function takeAt<T>(list: T[], at: number): T | null {
  const last = list.pop()
  const taken = at === list.length ? last : list[at]
  if (last !== undefined && at < list.length) list[at] = last
  return taken ?? null
}

function countsOf(places: readonly Place[]): Counts {
  const seederCount = places.filter(({ seeding }) => seeding).length
  return { seederCount, leecherCount: places.length - seederCount }
}

function oldestOfLargest(places: readonly Place[]): Place | null {
  const counts = new Map<string, number>()
  for (const { owner } of places) counts.set(owner, (counts.get(owner) ?? 0) + 1)
  const most = Math.max(...counts.values())
  return places.find(({ owner }) => counts.get(owner) === most) ?? null
}

/** Under which host an asker can dial a peer, null if he may not hear of it. */
function hostsFor({ address, reachedAt }: Announcement): (place: Place) => string | null {
  const askerClass = classOfHost(address.host)
  // Who announces from the tracker's own machine is where the tracker is.
  const hereHost = reachedAt !== null && mayHearOf(askerClass, classOfHost(reachedAt)) ? reachedAt : null
  return ({ address: { host }, addressClass }) => {
    if (mayHearOf(askerClass, addressClass)) return host
    return addressClass === 'loopback' ? hereHost : null
  }
}
