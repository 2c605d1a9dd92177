/**
 * Registrations of names on Bitcoin, in the original GitTorrent's format with its two steps, and who owns a name by them.
 *
 *   @gittorrent!<name>!<40 hex>             claims the name for a key's id (the original's format, one step)
 *   @gittorrent!!<40 hex>                   reserves: first 20 bytes of SHA-256 of `gittorrent reservation 1 LF name LF id LF token`
 *   @gittorrent!<name>!<40 hex>!<token>     claims what was reserved; token: 1 to 16 of a-z 0-9
 *
 * A claim counts from its reservation if that is in an earlier block, at most 1008 blocks before; else from itself. The
 * first by block, transaction, output owns the name, for ever. Names: 1 to 27 of a-z 0-9 - _, not beginning with - or _.
 */
import { createHash } from 'node:crypto'
import { HelperError } from '../errors.ts'

/** Blocks for which a reservation holds: about a week. Only after as many can a name no longer fall to an earlier reservation. */
export const RESERVATION_BLOCK_COUNT = 1008
const CARRIED_LENGTH_MAX = 80

export interface Position {
  readonly height: number
  readonly transaction: number
  readonly output: number
}

export type Registration =
  | (Position & { readonly kind: 'reservation'; readonly hash: string })
  | (Position & { readonly kind: 'claim'; readonly name: string; readonly id: string; readonly token: string | null })

export interface Ownership {
  readonly name: string
  /** Id of the key, 40 digits. */
  readonly id: string
  /** Height from which it counts, and that of the claim. */
  readonly sinceHeight: number
  readonly claimHeight: number
}

const CLAIM = /^@gittorrent!([a-z0-9][a-z0-9_-]{0,26})!([0-9a-f]{40})(?:!([a-z0-9]{1,16}))?$/
const RESERVATION = /^@gittorrent!!([0-9a-f]{40})$/

/** What the data of an OP_RETURN output registers, or null. */
export function readRegistration(data: Uint8Array, position: Position): Registration | null {
  if (data.length > CARRIED_LENGTH_MAX) return null
  const text = Buffer.from(data).toString('latin1')
  const [, hash] = RESERVATION.exec(text) ?? []
  if (hash !== undefined) return { ...position, kind: 'reservation', hash }
  const [, name, id, token] = CLAIM.exec(text) ?? []
  if (name === undefined || id === undefined) return null
  return { ...position, kind: 'claim', name, id, token: token ?? null }
}

/** The hash that reserves a name for a key without telling either. */
export function reservationHash(name: string, id: string, token: string): string {
  return createHash('sha256').update(`gittorrent reservation 1\n${name}\n${id}\n${token}`).digest('hex').slice(0, 40)
}

/** The bytes that reserve or claim a name. @throws HelperError 'usage' for what cannot be registered */
export function writeRegistration(
  name: string,
  id: string,
  token: string | null,
  step: 'reserve' | 'claim',
): Uint8Array {
  const claim = `@gittorrent!${name}!${id}${token === null ? '' : `!${token}`}`
  if (!CLAIM.test(claim) || claim.length > CARRIED_LENGTH_MAX)
    throw new HelperError(
      'usage',
      `register: expected a name and token that fit into ${CARRIED_LENGTH_MAX} bytes, got '${claim}'`,
    )
  if (step === 'claim') return Buffer.from(claim)
  if (token === null) throw new HelperError('usage', 'register: expected --token for a reservation, got none')
  return Buffer.from(`@gittorrent!!${reservationHash(name, id, token)}`)
}

/** Who owns `name`, by registrations in any order; null if nobody. */
export function ownerOf(name: string, registrations: readonly Registration[]): Ownership | null {
  const reservations = registrations.flatMap((entry) => (entry.kind === 'reservation' ? [entry] : []))
  let best: { readonly from: Position; readonly ownership: Ownership } | null = null
  for (const claim of registrations) {
    if (claim.kind !== 'claim' || claim.name !== name) continue
    const hash = claim.token === null ? null : reservationHash(claim.name, claim.id, claim.token)
    const from = reservations
      .filter((entry) => entry.hash === hash && entry.height < claim.height)
      .filter((entry) => claim.height - entry.height <= RESERVATION_BLOCK_COUNT)
      .reduce<Position>((first, entry) => (comparePositions(entry, first) < 0 ? entry : first), claim)
    if (best !== null && comparePositions(from, best.from) >= 0) continue
    best = { from, ownership: { name, id: claim.id, sinceHeight: from.height, claimHeight: claim.height } }
  }
  return best?.ownership ?? null
}

function comparePositions(a: Position, b: Position): number {
  return a.height - b.height || a.transaction - b.transaction || a.output - b.output
}
