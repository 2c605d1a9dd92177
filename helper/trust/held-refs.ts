/**
 * What the user's repository holds already: everything that its refs reach was accepted before, by the user or by an
 * earlier check, and is not looked at again. Peeled values come along, so that tags count for their commits as well; tags
 * are held by name and value, because a new name for an old commit is a new tag.
 */
import { runGit } from '../git/repository.ts'

export interface Held {
  /** Distinct oids that refs point at, in no order. */
  readonly oids: readonly string[]
  /** `<oid> <ref name>` of every tag. */
  readonly tags: ReadonlySet<string>
}

export const HOLDS_NOTHING: Held = { oids: [], tags: new Set() }

export async function heldRefs(gitDir: string): Promise<Held> {
  const listed = await runGit(gitDir, ['for-each-ref', '--format=%(refname) %(objectname) %(*objectname)'])
  const rows = listed
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(' '))
  const oids = new Set(rows.flatMap(([, ...values]) => values.filter(Boolean)))
  const tags = rows.flatMap(([name = '', oid = '']) => (name.startsWith('refs/tags/') ? [`${oid} ${name}`] : []))
  return { oids: [...oids], tags: new Set(tags) }
}
