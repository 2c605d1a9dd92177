/**
 * The bundle list of an exported folder, for stock git (`git clone --bundle-uri=<its URL>`, git-bundle(1), "bundle URIs").
 * The bundles of the main line, newest first. The creation token is the first-parent count of the link's tip: every
 * exporter comes to the same one without a memory, and it grows with the line. The file is git configuration, so a server
 * can include it in a repository's own and advertise it.
 * Left out: other lines. git walks a list from the newest token down to what unbundles, then up again and is done, so it
 * passes over a branch that has lower tokens than the link it leaves; and after a fetch it looks at higher tokens only.
 * Surprise: relative URIs need git 2.40; with a base URL they are absolute, which git 2.39 reads, too.
 */

export const BUNDLE_LIST_NAME = 'bundle-list'

export interface ListedBundle {
  readonly file: string
  /** First-parent count of the link's tip, at least 1. */
  readonly token: number
}

/**
 * The bytes of the list.
 * @param bundles of one line, in any order; names are payload names
 * @param baseUrl absolute, ends in a slash, as `parseBaseUrl` gives it; null for relative URIs
 */
export function encodeBundleList(bundles: readonly ListedBundle[], baseUrl: string | null): Uint8Array {
  const ordered = [...bundles].sort((a, b) => b.token - a.token)
  const sections = ordered.map(({ file, token }) => {
    const id = file.replace(/\.bundle$/, '')
    return `[bundle "${id}"]\n\turi = "${baseUrl ?? ''}${file}"\n\tcreationToken = ${token}\n`
  })
  const head = '[bundle]\n\tversion = 1\n\tmode = all\n\theuristic = creationToken\n'
  return Buffer.from([head, ...sections].join(''))
}
