/**
 * The shallow-info section of a v2 fetch answer (gitprotocol-v2, "fetch"), set right for what the relay told the origin in
 * git's place. A commit that it declared shallow, because the swarm brought it without its history: git does not know of
 * that, so its end is not git's business, and its being the boundary has to be said. Commits whose history the swarm brought
 * although git believes them to be boundaries: the origin was told nothing of them, so git hears from us that they are none.
 */
import { encodePacket, type Packet, textOf } from './pkt-line.ts'

export interface ShallowChanges {
  /** The commit that was declared shallow; null for none. */
  readonly snapshot: string | null
  /** True if the snapshot may be a boundary of what git will have, given how many others the origin has named. */
  readonly mayBeBoundary: (namedCount: number) => boolean
  /** Boundaries that are none any more. */
  readonly unshallows: ReadonlySet<string>
}

export class ShallowInfoFilter {
  private readonly changes: ShallowChanges
  private position: 'before' | 'inside' | 'past' = 'before'
  private namedCount = 0
  /** True once git was told of the snapshot, or got the history below it: the commit belongs to the repository then. */
  isSnapshotUsed = false

  constructor(changes: ShallowChanges) {
    this.changes = changes
  }

  /** The bytes to pass on for one packet of an answer; to be called in order, up to the packfile section. */
  pass(packet: Packet): readonly Buffer[] {
    const text = packet.kind === 'data' ? textOf(packet) : null
    if (this.position === 'past') return [packet.raw]
    if (this.position === 'before') {
      if (text === 'shallow-info') this.position = 'inside'
      // An origin that had nothing to say leaves the section out.
      if (text !== 'packfile') return [packet.raw]
      const said = this.end()
      const section = [encodePacket('shallow-info\n'), ...said, Buffer.from('0001')]
      return said.length === 0 ? [packet.raw] : [...section, packet.raw]
    }
    if (text === null) return [...this.end(), packet.raw]
    this.namedCount += text.startsWith('shallow ') ? 1 : 0
    const { snapshot } = this.changes
    if (text !== `unshallow ${snapshot}` && text !== `shallow ${snapshot}`) return [packet.raw]
    this.isSnapshotUsed = true
    return text.startsWith('shallow ') ? [packet.raw] : []
  }

  /** What the section says besides, at its end. */
  private end(): readonly Buffer[] {
    this.position = 'past'
    const { snapshot, mayBeBoundary, unshallows } = this.changes
    const lines = [...unshallows].map((oid) => `unshallow ${oid}\n`)
    if (snapshot !== null && !this.isSnapshotUsed && mayBeBoundary(this.namedCount)) {
      this.isSnapshotUsed = true
      lines.push(`shallow ${snapshot}\n`)
    }
    return lines.map(encodePacket)
  }
}
