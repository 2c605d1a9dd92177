/**
 * What our web server has: for each repository a folder as `gittorrent export` would write it, below a path that is made of its topic
 * (40 digits), so that a request is a look-up in a table and never a path on a disk. Links are read from the stored
 * segments when they are asked for. Links that a newer state does not have any more stay until the state after that, for
 * readers of the manifest before; so do those of a second clone of the same origin, whose manifest is not shown.
 */

import { CHECKSUMS_NAME, encodeChecksums, type FolderFiles, hashesOf, sha256Of } from '../export/folder-content.ts'
import { INDEX_PAGE_NAME } from '../export/index-page.ts'

export interface WebFile {
  readonly name: string
  readonly lengthBytes: number
  /** Hex: what tells versions of it apart. */
  readonly sha256: string
  /** The name says it all: it never has other bytes. */
  readonly isFixed: boolean
  /** The range lies inside the file. */
  read(offset: number, length: number): Promise<Uint8Array>
}

export interface WebOffer {
  readonly content: FolderFiles
  /** Called with the number of bytes of each part that was sent. */
  readonly onSent: (count: number) => void
}

type Files = ReadonlyMap<string, () => WebFile>

interface Kept {
  files: Files
  /** Of the state before, without its documents. */
  before: Files
  onSent: (count: number) => void
}

export interface FoundFile {
  readonly file: WebFile
  readonly onSent: (count: number) => void
}

const PATH = /^\/([0-9a-f]{40})\/([0-9A-Za-z.-]{0,200})$/

export class WebFolders {
  /** By topic in hex, then by owner, the one that came first first. */
  readonly #folders = new Map<string, Map<object, Kept>>()

  /** Has `owner` show a folder, or a newer state of it. */
  offer(topicHex: string, owner: object, { content, onSent }: WebOffer): void {
    const owners = this.#folders.get(topicHex) ?? new Map<object, Kept>()
    this.#folders.set(topicHex, owners)
    const files = filesOf(content)
    const known = owners.get(owner)
    const isSame =
      known !== undefined && known.files.size === files.size && [...files.keys()].every((name) => known.files.has(name))
    const before = known === undefined ? new Map() : isSame ? known.before : payloadsIn(known.files)
    owners.set(owner, { files, before, onSent })
  }

  withdraw(topicHex: string, owner: object): void {
    const owners = this.#folders.get(topicHex)
    owners?.delete(owner)
    if (owners?.size === 0) this.#folders.delete(topicHex)
  }

  /** The file at a path as it stands in a request; null if there is none. The folder itself is its page for people. */
  find(path: string): FoundFile | null {
    const [, topicHex = '', name = ''] = PATH.exec(path) ?? []
    const owners = [...(this.#folders.get(topicHex)?.values() ?? [])]
    const wanted = name === '' ? INDEX_PAGE_NAME : name
    for (const state of ['files', 'before'] as const) {
      for (const kept of owners) {
        const open = kept[state].get(wanted)
        if (open !== undefined) return { file: open(), onSent: kept.onSent }
      }
    }
    return null
  }
}

function filesOf(content: FolderFiles): Files {
  const { payloads, pages, manifest } = content
  const files = new Map<string, () => WebFile>()
  for (const { name, lengthBytes, sha256, read, torrent } of payloads) {
    files.set(name, () => ({ name, lengthBytes, sha256, isFixed: true, read }))
    files.set(torrent.name, () => documentOf(torrent.name, torrent.bytes()))
  }
  for (const { name, bytes } of [...pages, manifest])
    files.set(
      name,
      onlyOnce(() => documentOf(name, bytes)),
    )
  files.set(
    CHECKSUMS_NAME,
    onlyOnce(() => documentOf(CHECKSUMS_NAME, encodeChecksums(hashesOf(content)))),
  )
  return files
}

function documentOf(name: string, bytes: Uint8Array): WebFile {
  const read: WebFile['read'] = async (offset, length) => bytes.subarray(offset, offset + length)
  return { name, lengthBytes: bytes.length, sha256: sha256Of(bytes), isFixed: false, read }
}

function payloadsIn(files: Files): Files {
  return new Map([...files].filter(([name]) => /\.(bundle|pack)(\.torrent)?$/.test(name)))
}

function onlyOnce<Value>(make: () => Value): () => Value {
  let made: Value | null = null
  return () => {
    made ??= make()
    return made
  }
}
