/**
 * One state of refs out of what a publisher and the delegates say. For each ref the newest change wins, among those
 * who may write it: the publisher everything, a delegate what its patterns name, until its term ends. A change cannot be newer
 * than the record that carries it. At the same seq the publisher goes before delegates, and those in the publisher's order.
 */
import type { Delegate } from './record.ts'
import { compareNames, type PublishedRef, type RefsDocument } from './refs-document.ts'

export interface Contribution {
  readonly document: RefsDocument
  /** seq of the record that named the document. */
  readonly seq: number
  /** Null for the publisher. */
  readonly delegate: Delegate | null
}

export interface MergedRef {
  readonly name: string
  readonly oid: string
  readonly seq: number
  /** Public key of who said so. */
  readonly by: string
}

/** True if a pattern (a full ref name, or a beginning that ends in `/*`) names the ref. */
export function matchesPattern(pattern: string, name: string): boolean {
  return pattern.endsWith('/*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name
}

/** True if the delegate may write the ref at a moment in unix seconds. */
export function mayWrite(delegate: Delegate, name: string, nowSeconds: number): boolean {
  return delegate.expires > nowSeconds && delegate.patterns.some((pattern) => matchesPattern(pattern, name))
}

/** The newest change of each ref, deletions (without an oid) included; contributions come the publisher's first. */
export function newestChanges(
  contributions: readonly Contribution[],
  nowSeconds: number,
): Map<string, PublishedRef & { readonly by: string }> {
  const newest = new Map<string, PublishedRef & { readonly by: string }>()
  for (const { document, seq, delegate } of contributions) {
    for (const ref of document.refs) {
      if (delegate !== null && !mayWrite(delegate, ref.name, nowSeconds)) continue
      const claimed = { ...ref, seq: Math.min(ref.seq, seq), by: document.publisher }
      if (claimed.seq > (newest.get(ref.name)?.seq ?? -1)) newest.set(ref.name, claimed)
    }
  }
  return newest
}

/** Merges contributions, the publisher's first. Deleted refs are absent; the rest comes in order of their names. */
export function mergeRefs(contributions: readonly Contribution[], nowSeconds: number): MergedRef[] {
  const newest = newestChanges(contributions, nowSeconds)
  const refs = [...newest.values()].flatMap(({ name, oid, seq, by }) => (oid === null ? [] : [{ name, oid, seq, by }]))
  return refs.sort((a, b) => compareNames(a.name, b.name))
}
