/**
 * The protocol v2 relay: requests of git to the origin, answers of the origin to git, packet by packet. It holds a
 * request (small) in memory, never an answer. The first `fetch` that links or a snapshot can serve waits for the swarm;
 * all such carry the haves that it made true. Two shapes: stateless (an inner git-remote-http ends each answer with 0002, which passes
 * through) and connected (an upload-pack; an answer ends with a flush).
 */
import type { MirrorKind } from '../config.ts'
import { HelperError, messageOf } from '../errors.ts'
import { ORIGIN_IDLE_MS_MAX, REQUEST_LENGTH_BYTES_MAX } from '../limits.ts'
import { acknowledgmentFilter } from './acknowledgments.ts'
import { boundariesWithin } from './boundaries.ts'
import { commandOf, encodeWith, type FetchRequest, parseFetchRequest } from './fetch-request.ts'
import { tagsToFollow } from './followed-tags.ts'
import { encodeKnownRequest, offersRounds, readKnownAnswer } from './known-commits.ts'
import {
  asksForMirrors,
  encodeBlobRequest,
  forgetMirrorBlobs,
  isUseful,
  keepMirrorBlob,
  keptMirrorBlob,
  MIRROR_PREFIX,
  NO_MIRRORS,
  readBlobAnswer,
  withList,
  withMirrorPrefix,
} from './mirrors.ts'
import type { OriginStream } from './origin-stream.ts'
import { AnswerScanner, type Packet, readPacket, textOf } from './pkt-line.ts'
import type { Session } from './session.ts'
import { ShallowInfoFilter } from './shallow-info.ts'
import { type Change, inBands } from './sideband-all.ts'

export interface RelayOptions {
  readonly isStateless: boolean
  /** The first packet of the advertisement when it has been read already. */
  readonly first: Packet | null
  /** Opens the same service once more; null where requests are independent connections anyway. */
  readonly reopen: (() => Promise<OriginStream>) | null
}

/** Relays until git closes its end; returns the exit status of the origin's process. Throws origin-protocol. */
export async function relayProtocolV2(session: Session, origin: OriginStream, options: RelayOptions): Promise<number> {
  const relay = new Relay(session, origin, options)
  try {
    await relay.advertise(options.first)
    while (await relay.exchange());
  } finally {
    await session.supply.close()
  }
  return relay.close()
}

class Relay {
  private readonly session: Session
  private readonly options: RelayOptions
  private origin: OriginStream
  /** The origin answers a round of negotiation without a pack. */
  private hasRounds = false
  /** When it last answered. */
  private usedMs = performance.now()
  /** Found when the supply has answered, for all rounds. */
  private unshallows: Promise<ReadonlySet<string>> | null = null

  constructor(session: Session, origin: OriginStream, options: RelayOptions) {
    this.session = session
    this.origin = origin
    this.options = options
  }

  /** Passes the capability advertisement on. */
  async advertise(first: Packet | null): Promise<void> {
    let packet = first ?? (await readPacket(this.origin.reader))
    while (packet !== null) {
      await this.session.clientWriter.write(packet.raw)
      if (packet.kind === 'flush') return
      this.hasRounds ||= offersRounds(textOf(packet))
      packet = await readPacket(this.origin.reader)
    }
  }

  /** Serves one request; false when git has closed its end. */
  async exchange(): Promise<boolean> {
    const request = await this.readRequest()
    if (request.length === 0) return false
    const command = commandOf(request)
    this.session.trace(() => `request ${command || 'flush'} of ${request.length} packets`)
    if (command === 'fetch') return this.fetch(request)
    if (command === 'ls-refs') return this.list(request)
    await this.origin.writer.write(Buffer.concat(request.map((packet) => packet.raw)))
    if (command === '') return request.length > 1 && this.answerUnchanged()
    return this.answer((packet) => [packet.raw])
  }

  async close(): Promise<number> {
    return this.origin.close()
  }

  /** Lists refs; those of mirrors, which git did not ask for, stay here. */
  private async list(request: readonly Packet[]): Promise<boolean> {
    const { supply, settings, gitDir } = this.session
    const asksMore = settings.mirrors && supply.isOpen && !asksForMirrors(request)
    const raw = request.map((packet) => packet.raw)
    await this.origin.writer.write(asksMore ? withMirrorPrefix(request, settings.mirrorOrder) : Buffer.concat(raw))
    const goesOn = await this.answer((packet) => {
      if (packet.kind !== 'data') return [packet.raw]
      const line = textOf(packet)
      supply.memory.noteLsRefs(line)
      return asksMore && line.split(' ')[1]?.startsWith(MIRROR_PREFIX) ? [] : [packet.raw]
    })
    if (asksMore && goesOn && gitDir !== null)
      await forgetMirrorBlobs(gitDir, settings.mirrorOrder, supply.memory.mirrorOids).catch(() => {})
    return goesOn
  }

  private async fetch(packets: readonly Packet[]): Promise<boolean> {
    const { supply } = this.session
    const request = parseFetchRequest(packets)
    const takesLinks = request.isPlain || request.isUnshallow
    if (takesLinks) await this.askSwarm(request)
    const added = takesLinks ? supply.haves.filter((oid) => !request.haves.includes(oid)) : []
    const tags = await this.followedTags(request, added)
    if (tags.length === 0 && this.isSatisfied(request)) {
      const { isStateless } = this.options
      this.session.trace(() => 'everything wanted is there: the origin is not asked')
      const { objectFormat, isDone, isBanded } = request
      const { encodeEmptyAnswer } = await import('./empty-pack.ts')
      await this.session.clientWriter.write(encodeEmptyAnswer(objectFormat, { isDone, isStateless, isBanded }))
      return true
    }
    const before = this.origin.reader.consumedBytes
    const goesOn = request.isShallowClone
      ? await this.fetchShallow(packets, request)
      : await this.fetchBetween(packets, request, tags, added)
    supply.originBytes = (supply.originBytes ?? 0) + this.origin.reader.consumedBytes - before
    return goesOn
  }

  private async fetchBetween(
    packets: readonly Packet[],
    request: FetchRequest,
    tags: readonly string[],
    added: readonly string[],
  ): Promise<boolean> {
    const unshallows = await this.unshallowed(request)
    await this.origin.writer.write(encodeWith(packets, { wants: tags, haves: added, unshallows }))
    if (unshallows.size === 0 && (request.isDone || added.length === 0)) return this.answerUnchanged()
    const acknowledgments = request.isDone ? null : acknowledgmentFilter(new Set(added))
    const shallowInfo = new ShallowInfoFilter({ snapshot: null, mayBeBoundary: () => false, unshallows })
    const change: Change = (packet) => {
      const section = shallowInfo.pass(packet)
      return acknowledgments === null || section[0] !== packet.raw ? section : acknowledgments(packet)
    }
    return this.answer(request.isBanded ? inBands(change) : change)
  }

  /** Boundaries of a shallow repository below which the swarm has brought everything. */
  private async unshallowed({ isUnshallow, shallows }: FetchRequest): Promise<ReadonlySet<string>> {
    const { supply, gitDir } = this.session
    if (!isUnshallow || gitDir === null || supply.haves.length === 0) return new Set()
    this.unshallows ??= boundariesWithin(gitDir, shallows, supply.haves)
    return this.unshallows
  }

  /** A first fetch of the newest commits: what the swarm brought is one commit without its history. */
  private async fetchShallow(packets: readonly Packet[], request: FetchRequest): Promise<boolean> {
    await this.askSwarm(request)
    const { supply } = this.session
    const { snapshot } = supply
    if (snapshot === null) {
      await this.origin.writer.write(encodeWith(packets, { haves: [] }))
      return this.answerUnchanged()
    }
    await this.origin.writer.write(encodeWith(packets, { haves: [snapshot], shallows: [snapshot] }))
    const wantCount = new Set([...request.wants, ...request.wantRefs]).size
    const isWanted = !request.isOneDeep || this.mayWant(snapshot, request)
    const mayBeBoundary = (namedCount: number): boolean => isWanted && !(request.isOneDeep && namedCount >= wantCount)
    const shallowInfo = new ShallowInfoFilter({ snapshot, mayBeBoundary, unshallows: new Set() })
    let kept: Promise<void> | null = null
    const change: Change = (packet) => {
      const passed = shallowInfo.pass(packet)
      if (shallowInfo.isSnapshotUsed) kept ??= supply.keepSnapshot()
      return passed
    }
    const goesOn = await this.answer(request.isBanded ? inBands(change) : change)
    await kept
    return goesOn
  }

  /** True unless it is known that none of the wants is this commit or a tag of it. */
  private mayWant(commit: string, { wants, wantRefs }: FetchRequest): boolean {
    const { refs, tags } = this.session.supply.memory
    const peeled = new Map(tags.map((tag) => [tag.oid, tag.peeled]))
    const known = new Set(refs.values())
    const isIt = (oid: string): boolean => oid === commit || peeled.get(oid) === commit || !known.has(oid)
    return wants.some(isIt) || wantRefs.some((name) => isIt(refs.get(name) ?? ''))
  }

  /** Everything that git wants is complete by now, and nothing is left to negotiate. */
  private isSatisfied({ isPlain, wants, wantRefs }: FetchRequest): boolean {
    const held = new Set(this.session.supply.haves)
    return isPlain && wantRefs.length === 0 && wants.length > 0 && wants.every((oid) => held.has(oid))
  }

  /** Asks for the lists of mirrors in the user's order, unless they are known; over the connection that is open anyway. */
  private async readMirrors(): Promise<void> {
    const { supply, settings, gitDir, trace } = this.session
    if (!settings.mirrors || !supply.isOpen || gitDir === null) return
    let mirrors = NO_MIRRORS
    for (const kind of settings.mirrorOrder) {
      const oid = supply.memory.mirrorOids.get(kind)
      if (oid === undefined || !isUseful(kind, mirrors)) continue
      const blob = await this.readMirrorList(gitDir, kind, oid)
      if (blob !== null) mirrors = withList(mirrors, kind, blob)
      trace(() => `mirrors: ${kind}: ${[...mirrors.manifests, ...mirrors.repositories].join(' ') || 'none of use'}`)
    }
    supply.mirrors = mirrors
  }

  private async readMirrorList(gitDir: string, kind: MirrorKind, oid: string): Promise<Uint8Array | null> {
    const kept = await keptMirrorBlob(gitDir, kind, oid)
    if (kept !== null) return kept
    await this.origin.writer.write(encodeBlobRequest(oid))
    try {
      const blob = await readBlobAnswer(this.origin, oid, this.last())
      await keepMirrorBlob(gitDir, kind, blob)
      return blob
    } catch (error) {
      this.session.trace(() => messageOf(error))
      if (this.options.reopen !== null) await this.reconnect(this.options.reopen)
      return null
    }
  }

  /** Asked for with `done` only (a clone): an older want would keep the origin from saying ready; git fetch asks again. */
  private async followedTags(request: FetchRequest, added: readonly string[]): Promise<readonly string[]> {
    if (added.length === 0 || !request.includesTags || !request.isDone) return []
    const wanted = new Set(request.wants)
    const tags = this.session.supply.memory.tags.filter((tag) => !wanted.has(tag.oid))
    return tagsToFollow(tags, this.session.env)
  }

  private async askSwarm(request: FetchRequest): Promise<void> {
    const { supply, clientReader } = this.session
    this.usedMs = performance.now()
    const refs = supply.memory.refs
    const named = request.wantRefs.flatMap((name) => refs.get(name) ?? [])
    const { objectFormat, haves, isDone, isShallowClone, isUnshallow } = request
    const wants = [...request.wants, ...named]
    const isClone = isDone && haves.length === 0
    const clientGone = new Promise<void>((resolve) => {
      clientReader.waitForMore().then(
        (more) => more || resolve(),
        () => resolve(),
      )
    })
    await this.readMirrors()
    const knownAmong = (oids: readonly string[]): Promise<ReadonlySet<string> | null> => this.knownAmong(oids, wants)
    const wanted = { objectFormat, wants, haves, isClone, isShallow: isShallowClone, isUnshallow, knownAmong }
    await supply.bringOnce(wanted, clientGone)
    await this.freshen()
  }

  /** Those of some commits that the origin has; null when it cannot be asked for that alone. */
  private async knownAmong(oids: readonly string[], [want]: readonly string[]): Promise<ReadonlySet<string> | null> {
    if (!this.hasRounds || want === undefined) return null
    try {
      await this.freshen()
      await this.origin.writer.write(encodeKnownRequest(want, oids))
      const known = await readKnownAnswer(this.origin, this.last())
      this.usedMs = performance.now()
      return known
    } catch (error) {
      this.session.trace(() => messageOf(error))
      this.hasRounds = false
      if (this.options.reopen !== null) await this.reconnect(this.options.reopen)
      return null
    }
  }

  /** Connects anew where a connection was idle for so long that it may be dead. */
  private async freshen(): Promise<void> {
    if (this.options.reopen === null || performance.now() - this.usedMs < ORIGIN_IDLE_MS_MAX) return
    this.session.trace(() => 'connect anew: the connection was idle for long')
    await this.reconnect(this.options.reopen)
  }

  private async reconnect(open: () => Promise<OriginStream>): Promise<void> {
    const stale = this.origin
    this.origin = await open()
    stale.close().catch(() => {})
    for (let packet = await readPacket(this.origin.reader); packet !== null && packet.kind !== 'flush'; ) {
      packet = await readPacket(this.origin.reader)
    }
    this.usedMs = performance.now()
  }

  private async readRequest(): Promise<Packet[]> {
    const packets: Packet[] = []
    let lengthBytes = 0
    for (;;) {
      const packet = await readPacket(this.session.clientReader)
      if (packet === null) return []
      packets.push(packet)
      if (packet.kind === 'flush') return packets
      lengthBytes += packet.raw.length
      if (lengthBytes > REQUEST_LENGTH_BYTES_MAX) {
        throw new HelperError('limit', `cannot relay a request: expected at most ${REQUEST_LENGTH_BYTES_MAX} bytes`)
      }
    }
  }

  /** Passes one answer on packet by packet through `change`; false when the origin ended the connection instead. */
  private async answer(change: Change): Promise<boolean> {
    for (;;) {
      const packet = await readPacket(this.origin.reader)
      if (packet === null) return false
      for (const bytes of change(packet)) await this.session.clientWriter.write(bytes)
      if (packet.kind === this.last()) return true
      // The lines of a section may be in band 1.
      if (packet.kind === 'data' && /^\u0001?packfile$/.test(textOf(packet))) return this.answerUnchanged()
    }
  }

  /** Passes the answer, or what is left of it, on as it comes. */
  private async answerUnchanged(): Promise<boolean> {
    const scanner = new AnswerScanner(this.last())
    const { reader } = this.origin
    for (let bytes = await reader.next(); bytes !== null; bytes = await reader.next()) {
      const end = scanner.endIn(bytes)
      await this.session.clientWriter.write(end < 0 ? bytes : bytes.subarray(0, end))
      if (end < 0) continue
      reader.unread(bytes.subarray(end))
      return true
    }
    return false
  }

  private last(): 'end' | 'flush' {
    return this.options.isStateless ? 'end' : 'flush'
  }
}
