/**
 * The protocol v2 relay: requests of git to the origin, answers of the origin to git, packet by packet. It holds a
 * request (small) in memory, never an answer. The first `fetch` that links or a snapshot can serve waits for the swarm;
 * all such carry the haves that it made true. Two shapes: stateless (an inner git-remote-http ends each answer with 0002, which passes
 * through) and connected (an upload-pack; an answer ends with a flush).
 */

import { HelperError, messageOf } from '../errors.ts'
import { REQUEST_LENGTH_BYTES_MAX } from '../limits.ts'
import { incomingFolder } from '../store/incoming-folder.ts'
import { acknowledgmentFilter } from './acknowledgments.ts'
import { boundariesWithin } from './boundaries.ts'
import { commandOf, encodeWith, type FetchRequest, parseFetchRequest } from './fetch-request.ts'
import { tagsToFollow } from './followed-tags.ts'
import { encodeKnownRequest, offersRounds, readKnownAnswer } from './known-commits.ts'
import { readMirrors } from './mirror-lists.ts'
import { asksForMirrors, forgetMirrorBlobs, MIRROR_PREFIX, withMirrorPrefix } from './mirrors.ts'
import { OriginDialogue } from './origin-dialogue.ts'
import type { OriginStream } from './origin-stream.ts'
import { type Packet, readPacket, textOf } from './pkt-line.ts'
import type { AnnotatedTag } from './ref-memory.ts'
import type { Session } from './session.ts'
import { ShallowInfoFilter } from './shallow-info.ts'
import { type Change, inBands } from './sideband-all.ts'
import type { OriginAnswer } from './supply.ts'

export interface RelayOptions {
  readonly isStateless: boolean
  /** The first packet of the advertisement when it has been read already. */
  readonly first: Packet | null
  /** Opens the same service once more. */
  readonly reopen: () => Promise<OriginStream>
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
  private readonly isStateless: boolean
  private readonly origin: OriginDialogue
  /** The origin answers a round of negotiation without a pack. */
  private hasRounds = false
  /** What it said in such rounds: commits that it has, or has not. */
  private readonly known = new Map<string, boolean>()
  /** Found when the supply has answered, for all rounds. */
  private unshallows: Promise<ReadonlySet<string>> | null = null

  constructor(session: Session, origin: OriginStream, { isStateless, reopen }: RelayOptions) {
    this.session = session
    this.isStateless = isStateless
    this.origin = new OriginDialogue(origin, session.clientWriter, { isStateless, reopen, trace: session.trace })
  }

  advertise(first: Packet | null): Promise<void> {
    return this.origin.advertise(first, (line) => {
      this.hasRounds ||= offersRounds(line)
    })
  }

  /** Serves one request; false when git has closed its end. */
  async exchange(): Promise<boolean> {
    const request = await this.readRequest()
    if (request.length === 0) return false
    const command = commandOf(request)
    this.session.trace(() => `request ${command || 'flush'} of ${request.length} packets`)
    if (command === 'fetch') return this.fetch(request)
    if (command === 'ls-refs') return this.list(request)
    const bytes = Buffer.concat(request.map((packet) => packet.raw))
    // A flush alone is how git says that it wants nothing more.
    if (request.length === 1) {
      await this.origin.say(bytes)
      return false
    }
    await this.origin.ask(bytes)
    return this.origin.pass((packet) => [packet.raw])
  }

  async close(): Promise<number> {
    return this.origin.close()
  }

  /** Lists refs; those of mirrors, which git did not ask for, stay here. */
  private async list(request: readonly Packet[]): Promise<boolean> {
    const { supply, settings, gitDir } = this.session
    const asksMore = settings.mirrors && supply.isOpen && !asksForMirrors(request)
    const raw = request.map((packet) => packet.raw)
    await this.origin.ask(asksMore ? withMirrorPrefix(request, settings.mirrorOrder) : Buffer.concat(raw))
    const goesOn = await this.origin.pass((packet) => {
      if (packet.kind !== 'data') return [packet.raw]
      const line = textOf(packet)
      supply.memory.noteLsRefs(line)
      return asksMore && line.split(' ')[1]?.startsWith(MIRROR_PREFIX) ? [] : [packet.raw]
    })
    if (asksMore && goesOn && gitDir !== null)
      await forgetMirrorBlobs(gitDir, settings.mirrorOrder, supply.memory.mirrorOids).catch(() => {})
    return goesOn
  }

  /** Lets the swarm bring what it can, and git have the rest. */
  private async fetch(packets: readonly Packet[]): Promise<boolean> {
    const { supply } = this.session
    const request = parseFetchRequest(packets)
    const asksSwarm = request.isPlain || request.isUnshallow || request.isShallowClone
    if (asksSwarm) await readMirrors(this.session, this.origin)
    const before = this.origin.consumedBytes
    if (asksSwarm) await this.askSwarm(packets, request)
    const goesOn = await this.fetchRest(packets, request)
    supply.originBytes = (supply.originBytes ?? 0) + this.origin.consumedBytes - before
    return goesOn
  }

  /** Passes on the answer that came meanwhile, or asks the origin for what the swarm did not bring. */
  private async fetchRest(packets: readonly Packet[], request: FetchRequest): Promise<boolean> {
    const { supply } = this.session
    const passed = await this.origin.passAhead(supply.haves)
    if (passed !== null) return passed
    if (request.isShallowClone) return this.fetchShallow(packets, request)
    const takesLinks = request.isPlain || request.isUnshallow
    const added = takesLinks ? supply.haves.filter((oid) => !request.haves.includes(oid)) : []
    const tags = await this.followedTags(request, added)
    if (tags.length > 0 || !this.isSatisfied(request)) return this.fetchBetween(packets, request, tags, added)
    this.session.trace(() => 'everything wanted is there: the origin is not asked')
    const { objectFormat, isDone, isBanded } = request
    const { encodeEmptyAnswer } = await import('./empty-pack.ts')
    const { isStateless } = this
    await this.session.clientWriter.write(encodeEmptyAnswer(objectFormat, { isDone, isStateless, isBanded }))
    return true
  }

  private async fetchBetween(
    packets: readonly Packet[],
    request: FetchRequest,
    tags: readonly string[],
    added: readonly string[],
  ): Promise<boolean> {
    const unshallows = await this.unshallowed(request)
    await this.origin.ask(encodeWith(packets, { wants: tags, haves: added, unshallows }))
    if (unshallows.size === 0 && (request.isDone || added.length === 0)) return this.origin.passUnchanged()
    const acknowledgments = request.isDone ? null : acknowledgmentFilter(new Set(added))
    const shallowInfo = new ShallowInfoFilter({ snapshot: null, mayBeBoundary: () => false, unshallows })
    const change: Change = (packet) => {
      const section = shallowInfo.pass(packet)
      return acknowledgments === null || section[0] !== packet.raw ? section : acknowledgments(packet)
    }
    return this.origin.pass(request.isBanded ? inBands(change) : change)
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
    const { supply } = this.session
    const { snapshot } = supply
    if (snapshot === null) {
      await this.origin.ask(encodeWith(packets, { haves: [] }))
      return this.origin.passUnchanged()
    }
    await this.origin.ask(encodeWith(packets, { haves: [snapshot], shallows: [snapshot] }))
    const wantCount = new Set([...request.wants, ...request.wantRefs]).size
    const isWanted = !request.isOneDeep || this.mayWant(snapshot, request)
    const mayBeBoundary = (namedCount: number): boolean => isWanted && !(request.isOneDeep && namedCount >= wantCount)
    const shallowInfo = new ShallowInfoFilter({ snapshot, mayBeBoundary, unshallows: new Set() })
    let kept: Promise<void> | null = null
    const change: Change = (packet) => {
      const passed = shallowInfo.pass(packet)
      if (shallowInfo.isSnapshotUsed && kept === null) {
        kept = supply.keepSnapshot()
        // What goes wrong is told when the answer has passed, however long that takes.
        kept.catch(() => {})
      }
      return passed
    }
    const goesOn = await this.origin.pass(request.isBanded ? inBands(change) : change)
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
  private isSatisfied({ isPlain, wants, wantRefs }: FetchRequest, haves = this.session.supply.haves): boolean {
    const held = new Set(haves)
    return isPlain && wantRefs.length === 0 && wants.length > 0 && wants.every((oid) => held.has(oid))
  }

  /** Asked for with `done` only (a clone): an older want would keep the origin from saying ready; git fetch asks again. */
  private async followedTags(request: FetchRequest, added: readonly string[]): Promise<readonly string[]> {
    if (added.length === 0 || !request.isDone) return []
    return tagsToFollow(this.unwantedTags(request), this.session.env)
  }

  /** Tags that git follows where it has what they name, and did not ask for. */
  private unwantedTags({ includesTags, wants }: FetchRequest): readonly AnnotatedTag[] {
    const wanted = new Set(wants)
    return includesTags ? this.session.supply.memory.tags.filter((tag) => !wanted.has(tag.oid)) : []
  }

  private async askSwarm(packets: readonly Packet[], request: FetchRequest): Promise<void> {
    const { supply, clientReader } = this.session
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
    const onArrived = (expected: readonly string[]): void => this.askAhead(packets, request, expected)
    const knownAmong = (oids: readonly string[]): Promise<ReadonlySet<string> | null> => this.knownAmong(oids, wants)
    const askOrigin = (known: readonly string[]): OriginAnswer | null => this.askAll(packets, request, known)
    const how = { isClone, isShallow: isShallowClone, isUnshallow, knownAmong, onArrived, askOrigin }
    await supply.bringOnce({ objectFormat, wants, haves, ...how }, clientGone)
  }

  /** Those of some commits that the origin has; null when it cannot be asked for that alone. */
  private async knownAmong(oids: readonly string[], [want]: readonly string[]): Promise<ReadonlySet<string> | null> {
    const asked = oids.filter((oid) => !this.known.has(oid))
    if (!this.hasRounds || want === undefined) return null
    try {
      const known =
        asked.length === 0 ? null : await this.origin.question(encodeKnownRequest(want, asked), readKnownAnswer)
      for (const oid of asked) this.known.set(oid, known?.has(oid) === true)
      return new Set(oids.filter((oid) => this.known.get(oid)))
    } catch (error) {
      this.session.trace(() => messageOf(error))
      this.hasRounds = false
      return null
    }
  }

  /** Asks for the rest of a clone while it is still checked whether what the swarm brought is what it is said to be. */
  private askAhead(packets: readonly Packet[], request: FetchRequest, expected: readonly string[]): void {
    const folder = this.isSatisfied(request, expected) ? null : this.earlyFolder(request, expected)
    if (folder !== null) this.origin.askAhead(encodeWith(packets, { haves: expected }), expected, folder)
  }

  /** Asks for all of a clone that is lacking beyond `haves`, in case that the origin has it there sooner than others. */
  private askAll(packets: readonly Packet[], request: FetchRequest, haves: readonly string[]): OriginAnswer | null {
    const folder = this.earlyFolder(request, haves)
    return folder === null ? null : this.origin.askBeside(encodeWith(packets, { haves }), haves, folder)
  }

  /**
   * Where the origin's answer waits when it is asked for a clone before all has come that others bring, with `haves` by then; null where nobody
   * knows yet what is to be asked of it.
   */
  private earlyFolder(request: FetchRequest, haves: readonly string[]): string | null {
    const { gitDir, supply } = this.session
    const isFinal = (request.isPlain || request.isShallowClone) && request.isDone && request.haves.length === 0
    // Which tags follow is known when the commits that they name are there.
    const mayLackTags = haves.length > 0 && this.unwantedTags(request).length > 0
    const isRestElsewhere = supply.mirrors.repositories.length > 0
    return gitDir === null || !isFinal || mayLackTags || isRestElsewhere ? null : incomingFolder(gitDir)
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
}
