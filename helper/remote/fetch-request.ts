/**
 * The `fetch` command of protocol v2 as far as the relay reads it (gitprotocol-v2, "fetch"). The request passes on
 * unchanged but for what the swarm has made true (haves, shallow boundaries that are none any more) and for tags to
 * follow. v2 is stateless: every round has to carry them again.
 */
import { encodePacket, type Packet, textOf } from './pkt-line.ts'

export interface FetchRequest {
  readonly objectFormat: 'sha1' | 'sha256'
  /** Wanted oids, in order. */
  readonly wants: readonly string[]
  /** Names of wanted refs (want-ref). */
  readonly wantRefs: readonly string[]
  readonly haves: readonly string[]
  readonly isDone: boolean
  /** Git follows tags (include-tag). */
  readonly includesTags: boolean
  /** Every packet of the answer is to be in a band (sideband-all). */
  readonly isBanded: boolean
  /** Commits that git has without their history. */
  readonly shallows: readonly string[]
  /** No depth, shallow, filter, nor a mere question (wait-for-done): links can serve. */
  readonly isPlain: boolean
  /** A first fetch of the newest commits, with everything that those hold: a snapshot can serve as its have. */
  readonly isShallowClone: boolean
  /** The first fetch is of depth 1: every commit that it brings is a boundary. */
  readonly isOneDeep: boolean
  /** All history of a shallow repository (fetch --unshallow): links can serve, from the roots up. */
  readonly isUnshallow: boolean
}

/** What git calls infinite depth; --unshallow asks for it. */
const INFINITE_DEPTH = 0x7fffffff

/** Returns the command name of a v2 request, '' when there is none; git 2.28 to 2.31 name it behind a capability. */
export function commandOf(request: readonly Packet[]): string {
  for (const packet of request) {
    if (packet.kind !== 'data') return ''
    const text = textOf(packet)
    if (text.startsWith('command=')) return text.slice('command='.length)
  }
  return ''
}

/** Reads the arguments of a fetch request. Lines that it does not know are none of its business. */
export function parseFetchRequest(request: readonly Packet[]): FetchRequest {
  const wants: string[] = []
  const wantRefs: string[] = []
  const haves: string[] = []
  const shallows: string[] = []
  const words = new Set<string>()
  let depth = 0
  for (const packet of request) {
    const line = textOf(packet)
    const space = line.indexOf(' ')
    const word = space < 0 ? line : line.slice(0, space)
    const value = line.slice(word.length + 1)
    if (word === 'want') wants.push(value)
    else if (word === 'have') haves.push(value)
    else if (word === 'want-ref') wantRefs.push(value)
    else if (word === 'shallow') shallows.push(value)
    else if (word === 'deepen') depth = Number(value)
    else words.add(space < 0 || word === 'filter' || word.startsWith('deepen-') ? word : line)
  }
  const isDone = words.has('done')
  const isCut = words.has('deepen-since') || words.has('deepen-not')
  const isOtherwise = words.has('filter') || words.has('wait-for-done') || words.has('deepen-relative')
  const isFirst = isDone && haves.length === 0 && shallows.length === 0
  return {
    objectFormat: words.has('object-format=sha256') ? 'sha256' : 'sha1',
    wants,
    wantRefs,
    haves,
    shallows,
    isDone,
    includesTags: words.has('include-tag'),
    isBanded: words.has('sideband-all'),
    isPlain: !isOtherwise && !isCut && depth === 0 && shallows.length === 0,
    isShallowClone: !isOtherwise && isFirst && (isCut || (depth > 0 && depth < INFINITE_DEPTH)),
    isOneDeep: depth === 1 && !isCut,
    isUnshallow: !isOtherwise && !isCut && depth === INFINITE_DEPTH && shallows.length > 0,
  }
}

/** What the relay changes in a request: further wants, haves and commits without their history, and those that have it now. */
export interface Changes {
  readonly wants?: readonly string[]
  readonly haves: readonly string[]
  readonly shallows?: readonly string[]
  readonly unshallows?: ReadonlySet<string>
}

const NONE: ReadonlySet<string> = new Set()

/** Returns the bytes of `request` with further lines before `done` or the closing flush, and some `shallow` lines left out. */
export function encodeWith(
  request: readonly Packet[],
  { wants = [], haves, shallows = [], unshallows = NONE }: Changes,
): Buffer {
  const lines = [
    ...wants.map((oid) => `want ${oid}\n`),
    ...shallows.map((oid) => `shallow ${oid}\n`),
    ...haves.map((oid) => `have ${oid}\n`),
  ]
  const isStale = (packet: Packet): boolean => {
    const line = textOf(packet)
    return line.startsWith('shallow ') && unshallows.has(line.slice('shallow '.length))
  }
  const kept = unshallows.size === 0 ? request : request.filter((packet) => !isStale(packet))
  const at = kept.findIndex((packet) => packet.kind === 'flush' || textOf(packet) === 'done')
  const raw = kept.map((packet) => packet.raw)
  return Buffer.concat([...raw.slice(0, at), ...lines.map(encodePacket), ...raw.slice(at)])
}
