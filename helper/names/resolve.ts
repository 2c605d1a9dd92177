/**
 * From a name to a key, step by step, each step with its answer and age, so that a reader can say why a name means this key.
 * gittorrent://<name>/: the user's petname, else the Bitcoin registrations that were scanned. gittorrent://@<domain>/: DNS and
 * the well-known document, both are asked. gittorrent.names says which ways are used, and in which order: of a petname and a registration the
 * first that answers holds, because one is the user's own word. Everything else that differs is an error.
 */
import { configValue, type Environment, type GitConfig, type HostPort } from '../config.ts'
import { HelperError, messageOf } from '../errors.ts'
import { keyId } from '../keys/key-store.ts'
import type { RemoteUrl } from '../url.ts'
import { type ChainState, readChainState } from './bitcoin-scanner.ts'
import { lookUpTxt } from './dns.ts'
import { CONFIRMATION_COUNT_MIN } from './limits.ts'
import { Petnames } from './petnames.ts'
import { ownerOf, RESERVATION_BLOCK_COUNT } from './registration.ts'
import { readWellKnown, type WellKnownOptions } from './well-known.ts'

export interface Step {
  readonly way: 'petname' | 'dns' | 'well-known' | 'bitcoin'
  /** What was asked. */
  readonly asked: string
  /** 40 or 64 digits; null for no answer. */
  readonly key: string | null
  /** Seconds since the answer was true for certain, null where that cannot be told. */
  readonly ageSeconds: number | null
  /** One sentence for people. */
  readonly explanation: string
}

export interface ResolveSurroundings {
  readonly env: Environment
  readonly config: GitConfig
  readonly nowMs: number
  readonly signal: AbortSignal
  readonly connectTo?: WellKnownOptions['connectTo']
}

export type NamedAddress = Exclude<RemoteUrl, { kind: 'origin' } | { kind: 'key' }>

const WAYS = ['petname', 'dns', 'well-known', 'bitcoin'] as const

/** All steps for a name, in order. @throws HelperError 'setting-malformed' */
export async function resolveSteps(address: NamedAddress, around: ResolveSurroundings): Promise<Step[]> {
  const ways = waysOf(around.config)
  if (address.kind === 'domain') {
    const { domain } = address
    const asked = ways.flatMap((way) => {
      if (way === 'dns') return [stepOrFailure(way, textName(domain), () => dnsStep(domain, around))]
      if (way === 'well-known') return [stepOrFailure(way, documentUrl(domain), () => wellKnownStep(domain, around))]
      return []
    })
    return Promise.all(asked)
  }
  const name = address.petname.toLowerCase()
  const steps: Step[] = []
  for (const way of ways) {
    if (way === 'petname') steps.push(await petnameStep(name, around))
    if (way === 'bitcoin') steps.push(await bitcoinStep(name, around))
    if (steps.at(-1)?.key != null) break
  }
  return steps
}

const textName = (domain: string): string => `TXT _gittorrent.${domain}`
const documentUrl = (domain: string): string => `https://${domain}/.well-known/gittorrent`

/** The key that all answers agree on. @throws HelperError name-unresolved, name-conflict */
export function keyOfSteps(address: NamedAddress, steps: readonly Step[]): string {
  const shown = address.kind === 'name' ? address.petname : `@${address.domain}`
  const answers = steps.flatMap(({ key }) => key ?? [])
  const ids = new Set(answers.map(idOf))
  if (ids.size > 1) {
    const said = steps.flatMap(({ way, key }) => (key === null ? [] : [`${way}: ${idOf(key)}`]))
    throw new HelperError('name-conflict', `name '${shown}': expected one key, got ${said.join(', ')}`)
  }
  // The whole key says more than its id.
  const best = answers.find(({ length }) => length === 64) ?? answers[0]
  if (best !== undefined) return best
  const tried = steps.map(({ explanation }) => explanation).join('; ') || 'no way is switched on (gittorrent.names)'
  throw new HelperError('name-unresolved', `name '${shown}': expected a key, got none: ${tried}`)
}

function idOf(key: string): string {
  return key.length === 64 ? keyId(Buffer.from(key, 'hex')) : key
}

function waysOf(config: GitConfig): readonly Step['way'][] {
  const text = configValue(config, 'gittorrent.names')
  if (text === null) return WAYS
  const words = text.split(/[\s,]+/).filter(Boolean)
  const ways = words.flatMap((word) => WAYS.find((known) => known === word) ?? [])
  const strange = words.find((word) => !WAYS.some((known) => known === word))
  if (strange === undefined) return [...new Set(ways)]
  throw new HelperError(
    'setting-malformed',
    `cannot use gittorrent.names: expected ${WAYS.join(', ')}, got '${strange}'`,
  )
}

async function stepOrFailure(way: Step['way'], asked: string, step: () => Promise<Step>): Promise<Step> {
  try {
    return await step()
  } catch (error) {
    if (error instanceof HelperError && error.code === 'name-conflict') throw error
    return { way, asked, key: null, ageSeconds: null, explanation: messageOf(error) }
  }
}

async function petnameStep(name: string, { env, nowMs }: ResolveSurroundings): Promise<Step> {
  const petnames = new Petnames(env)
  const key = (await petnames.all()).get(name) ?? null
  const explanation = key === null ? `'${name}' is no petname of yours` : `'${name}' is your own petname`
  return {
    way: 'petname',
    asked: name,
    key,
    ageSeconds: key === null ? null : await petnames.ageSeconds(nowMs),
    explanation,
  }
}

async function dnsStep(domain: string, { config, signal }: ResolveSurroundings): Promise<Step> {
  const asked = textName(domain)
  const answer = await lookUpTxt(`_gittorrent.${domain}`, dnsServerOf(config), signal)
  const key = keyIn(answer.texts, asked)
  const dnssec = answer.isAuthenticated
    ? 'the resolver says that DNSSEC vouches for it'
    : 'without DNSSEC: whoever sits on the way can answer'
  const explanation =
    key === null ? `${asked}: no record` : `${asked}: ${dnssec}, may be kept for ${answer.ttlSeconds} s`
  return { way: 'dns', asked, key, ageSeconds: key === null ? null : 0, explanation }
}

async function wellKnownStep(domain: string, { config, signal, connectTo }: ResolveSurroundings): Promise<Step> {
  const asked = documentUrl(domain)
  const text = await readWellKnown(domain, { caFile: configValue(config, 'http.sslcainfo'), connectTo, signal })
  const key = text === null ? null : keyIn(text.split(/\r?\n/), asked)
  const explanation = key === null ? `${asked}: no document` : `${asked}: the web server of the domain says so`
  return { way: 'well-known', asked, key, ageSeconds: key === null ? null : 0, explanation }
}

async function bitcoinStep(name: string, { env, nowMs }: ResolveSurroundings): Promise<Step> {
  const asked = `@gittorrent!${name}`
  const nothing = (explanation: string): Step => ({ way: 'bitcoin', asked, key: null, ageSeconds: null, explanation })
  const state = await readChainState(env)
  if (state === null) return nothing('no chain was scanned: gittorrent scan')
  const owner = ownerOf(name, state.registrations)
  const tip = state.recent.at(-1)?.height ?? 0
  const ageSeconds = state.scannedAt === null ? null : Math.max(0, Math.floor(nowMs / 1000) - state.scannedAt)
  if (owner === null) return { ...nothing(`'${name}' is not registered up to block ${tip}`), ageSeconds }
  const confirmations = tip - owner.claimHeight + 1
  if (confirmations < CONFIRMATION_COUNT_MIN)
    return nothing(
      `'${name}' was claimed in block ${owner.claimHeight}: ${confirmations} of ${CONFIRMATION_COUNT_MIN} confirmations`,
    )
  return { way: 'bitcoin', asked, key: owner.id, ageSeconds, explanation: settled(owner, tip, state) }
}

function settled(owner: { sinceHeight: number; claimHeight: number }, tip: number, { recent }: ChainState): string {
  const time = recent.find(({ height }) => height === owner.claimHeight)?.time
  const when = time === undefined ? '' : `, ${new Date(time * 1000).toISOString().slice(0, 10)}`
  const isSettled = owner.sinceHeight < owner.claimHeight || tip - owner.sinceHeight > RESERVATION_BLOCK_COUNT
  const doubt = isSettled
    ? ''
    : `; until block ${owner.sinceHeight + RESERVATION_BLOCK_COUNT} somebody with an earlier reservation may still claim it`
  return `first claimed in block ${owner.claimHeight}${when}, counts from block ${owner.sinceHeight}, scanned up to ${tip}${doubt}`
}

/** The one key that texts of the form `gittorrent=<digits>` name; others are none of ours. @throws HelperError name-conflict */
export function keyIn(texts: readonly string[], asked: string): string | null {
  const keys = texts.flatMap(
    (text) => /^gittorrent=([0-9a-f]{64}|[0-9a-f]{40})$/i.exec(text.trim())?.[1]?.toLowerCase() ?? [],
  )
  const distinct = new Set(keys.map(idOf))
  if (distinct.size > 1)
    throw new HelperError('name-conflict', `${asked}: expected one key, got ${[...distinct].join(', ')}`)
  return keys.find(({ length }) => length === 64) ?? keys[0] ?? null
}

function dnsServerOf(config: GitConfig): HostPort | null {
  const text = configValue(config, 'gittorrent.dnsserver')
  if (text === null) return null
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:]+)):(\d{1,5})$/.exec(text)
  if (match) return { host: match[1] ?? match[2] ?? '', port: Number(match[3]) }
  throw new HelperError('setting-malformed', `cannot use gittorrent.dnsServer: expected host:port, got '${text}'`)
}
