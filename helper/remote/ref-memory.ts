/**
 * What the origin said of its refs while it passed through the relay, in either dialect: ls-refs of protocol v2
 * (`<oid> <ref> [symref-target:<ref>] [peeled:<oid>]`) and `list` of the remote-helper protocol
 * (`<oid>|@<ref>|? <ref> [attributes]`). Kept for the planner; git reads its own copy.
 */
import { REMEMBERED_REF_COUNT_MAX } from '../limits.ts'
import { MIRROR_PREFIX } from './mirrors.ts'

const OID = /^([0-9a-f]{40}|[0-9a-f]{64})$/

export interface AnnotatedTag {
  /** The tag object. */
  readonly oid: string
  /** What it points at in the end. */
  readonly peeled: string
}

export class RefMemory {
  /** Annotated tags, as far as the origin said what they point at (ls-refs only). */
  readonly tags: AnnotatedTag[] = []
  readonly refs = new Map<string, string>()
  /** Objects behind refs/mirrors/*, by what follows that prefix. */
  readonly mirrorOids = new Map<string, string>()
  /** The ref that HEAD points at, null when unknown. */
  head: string | null = null

  /** Takes one line of an ls-refs answer. */
  noteLsRefs(line: string): void {
    const [oid = '', name = '', ...attributes] = line.split(' ')
    const target = attributes.find((attribute) => attribute.startsWith('symref-target:'))
    if (name === 'HEAD' && target !== undefined) this.head = target.slice('symref-target:'.length)
    const peeled = attributes.find((attribute) => attribute.startsWith('peeled:'))?.slice('peeled:'.length)
    if (name.startsWith('refs/tags/') && peeled !== undefined && OID.test(oid) && OID.test(peeled)) {
      if (this.tags.length < REMEMBERED_REF_COUNT_MAX) this.tags.push({ oid, peeled })
    }
    this.note(name, oid)
  }

  /** Takes one line of a `list` answer. */
  noteList(line: string): void {
    const [value = '', name = ''] = line.split(' ')
    if (value.startsWith('@')) {
      if (name === 'HEAD') this.head = value.slice(1)
    } else this.note(name, value)
  }

  private note(name: string, oid: string): void {
    const isMirror = name.startsWith(MIRROR_PREFIX) && OID.test(oid) && this.mirrorOids.size < REMEMBERED_REF_COUNT_MAX
    if (isMirror) this.mirrorOids.set(name.slice(MIRROR_PREFIX.length), oid)
    if (name !== '' && OID.test(oid) && this.refs.size < REMEMBERED_REF_COUNT_MAX) this.refs.set(name, oid)
  }
}
