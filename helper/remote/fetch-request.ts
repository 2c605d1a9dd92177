/**
 * The `fetch` command of protocol v2 as far as the relay reads it (gitprotocol-v2, "fetch"). The request passes on
 * unchanged but for haves that the swarm has made true and for tags to follow. v2 is stateless: every round has to carry them again.
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
  /** Depth, shallow, filter or a mere question (wait-for-done): no links then, at most a snapshot. */
  readonly isPlain: boolean
  /** A first fetch of depth 1, of everything that those commits hold: a snapshot can serve as its have. */
  readonly isShallowClone: boolean
}

/** Returns the command name of a v2 request, '' when there is none. */
export function commandOf(request: readonly Packet[]): string {
  const first = request[0]
  const text = first === undefined ? '' : textOf(first)
  return text.startsWith('command=') ? text.slice('command='.length) : ''
}

/** Reads the arguments of a fetch request. Lines that it does not know are none of its business. */
export function parseFetchRequest(request: readonly Packet[]): FetchRequest {
  const wants: string[] = []
  const wantRefs: string[] = []
  const haves: string[] = []
  let objectFormat: FetchRequest['objectFormat'] = 'sha1'
  let isDone = false
  let includesTags = false
  let isOneDeep = false
  let isOtherwise = false
  for (const packet of request) {
    const line = textOf(packet)
    if (line.startsWith('want ')) wants.push(line.slice(5))
    else if (line.startsWith('have ')) haves.push(line.slice(5))
    else if (line.startsWith('want-ref ')) wantRefs.push(line.slice(9))
    else if (line === 'done') isDone = true
    else if (line === 'include-tag') includesTags = true
    else if (line === 'object-format=sha256') objectFormat = 'sha256'
    else if (line === 'deepen 1') isOneDeep = true
    else if (/^(shallow |deepen|filter |wait-for-done$)/.test(line)) isOtherwise = true
  }
  const isPlain = !isOneDeep && !isOtherwise
  const isShallowClone = isOneDeep && !isOtherwise && isDone && haves.length === 0
  return { objectFormat, wants, wantRefs, haves, isDone, includesTags, isPlain, isShallowClone }
}

/** What the relay adds to a request: further wants, haves, and of the haves those without their history. */
export interface Additions {
  readonly wants?: readonly string[]
  readonly haves: readonly string[]
  readonly shallows?: readonly string[]
}

/** Returns the bytes of `request` with further lines before `done` or the closing flush. */
export function encodeWith(request: readonly Packet[], { wants = [], haves, shallows = [] }: Additions): Buffer {
  const lines = [
    ...wants.map((oid) => `want ${oid}\n`),
    ...shallows.map((oid) => `shallow ${oid}\n`),
    ...haves.map((oid) => `have ${oid}\n`),
  ]
  const at = request.findIndex((packet) => packet.kind === 'flush' || textOf(packet) === 'done')
  const raw = request.map((packet) => packet.raw)
  return Buffer.concat([...raw.slice(0, at), ...lines.map(encodePacket), ...raw.slice(at)])
}
