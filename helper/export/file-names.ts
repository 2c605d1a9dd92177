/**
 * Names of the files in an exported folder. Small, because the helper needs one of them at its start, long before it reads a
 * manifest. Which payload a name is of is in the name (engine/FORMAT.md, linkName and snapshotName).
 */

export const MANIFEST_NAME = 'manifest.json'

/** Names of payloads in a folder; nothing else that a manifest names is ever opened or removed. */
const LINK_NAME = /^gt1-([0-9a-f]{40,64})-([0-9a-f]{40,64}|root)\.bundle$/
const SNAPSHOT_NAME = /^gt1-([0-9a-f]{40}|[0-9a-f]{64})-snapshot\.pack$/

/** True for the name of a payload that an export could have written. */
export function isPayloadName(name: string): boolean {
  return LINK_NAME.test(name) || SNAPSHOT_NAME.test(name)
}

/** Digits of the ends of a link, the older one null for the root; null for another name. */
export function endsInName(name: string): { readonly tip: string; readonly base: string | null } | null {
  const [, tip, base] = LINK_NAME.exec(name) ?? []
  return tip === undefined || base === undefined ? null : { tip, base: base === 'root' ? null : base }
}

/** Digits of the commit of a snapshot; null for another name. */
export function commitInName(name: string): string | null {
  return SNAPSHOT_NAME.exec(name)?.[1] ?? null
}
