/**
 * Reads a Bitcoin chain block by block from a node's JSON-RPC (getblockcount, getblockhash, getblock with verbosity 0),
 * keeps registrations and nothing else, resumes where it ended, and takes back what a reorganisation took back. Each
 * block must name its predecessor and hash to its own name, so the node is trusted for which chain is best and no more.
 * State: <data>/names/bitcoin.json, replaced as a whole.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Environment } from '../config.ts'
import { dataFolder } from '../data-folder.ts'
import { HelperError, messageOf } from '../errors.ts'
import { writeFileAtomically } from '../store/atomic-file.ts'
import { readBlock } from './bitcoin-block.ts'
import {
  BITCOIN_ANSWER_LENGTH_MAX,
  BITCOIN_RPC_TIMEOUT_MS,
  BITCOIN_SAVE_BLOCK_COUNT,
  REORGANISATION_BLOCK_COUNT_MAX,
} from './limits.ts'
import { type Registration, readRegistration } from './registration.ts'

interface ScannedBlock {
  readonly height: number
  readonly hash: string
  readonly time: number
}

export interface ChainState {
  /** Hash of block 0: which chain it is. */
  readonly genesis: string
  /** The newest blocks scanned, oldest first; at most as many as a reorganisation may take back. */
  readonly recent: readonly ScannedBlock[]
  readonly registrations: readonly Registration[]
  /** Unix seconds of the last scan that reached the tip; null if none did. */
  readonly scannedAt: number | null
}

const MAIN_GENESIS = '000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f'
/** Blocks of the main chain before this one, of May 2015, when names were first described, hold no registration by definition. */
const MAIN_FIRST_HEIGHT = 357_000

function statePath(env: Environment): string {
  return join(dataFolder(env), 'names', 'bitcoin.json')
}

/** What was scanned so far, or null. */
export async function readChainState(env: Environment): Promise<ChainState | null> {
  const text = await readFile(statePath(env), 'utf8').catch(() => '')
  return text === '' ? null : JSON.parse(text)
}

export interface ScanOptions {
  readonly env: Environment
  /** URL of the node's RPC, with user and password. */
  readonly rpc: string
  readonly nowSeconds: number
  readonly signal: AbortSignal
  readonly onBlock?: (height: number, tipHeight: number) => void
}

/** Scans up to the node's tip; returns the new state. @throws HelperError 'name-unresolved' */
export async function scanChain(options: ScanOptions): Promise<ChainState> {
  const { env, rpc, signal, nowSeconds, onBlock } = options
  const call = (method: string, params: readonly unknown[]): Promise<unknown> => callNode(rpc, method, params, signal)
  const genesis = textOf(await call('getblockhash', [0]))
  const known = await readChainState(env)
  let state: ChainState =
    known?.genesis === genesis ? known : { genesis, recent: [], registrations: [], scannedAt: null }
  const tipHeight = Number(await call('getblockcount', []))
  state = await takeBack(state, tipHeight, (height) => call('getblockhash', [height]).then(textOf))
  const first = genesis === MAIN_GENESIS ? MAIN_FIRST_HEIGHT : 0
  for (let height = (state.recent.at(-1)?.height ?? first - 1) + 1; height <= tipHeight; height++) {
    const hash = textOf(await call('getblockhash', [height]))
    const block = readBlock(Buffer.from(textOf(await call('getblock', [hash, 0])), 'hex'))
    const previous = state.recent.at(-1)
    if (block.hash !== hash || (previous !== undefined && block.previousHash !== previous.hash))
      throw new HelperError(
        'name-unresolved',
        `block ${height}: expected ${hash} on top of the last one, got ${block.hash}: scan again`,
      )
    const found = block.carried.flatMap(
      ({ transaction, output, bytes }) => readRegistration(bytes, { height, transaction, output }) ?? [],
    )
    const recent = [...state.recent, { height, hash, time: block.time }].slice(-REORGANISATION_BLOCK_COUNT_MAX)
    state = { ...state, recent, registrations: [...state.registrations, ...found] }
    onBlock?.(height, tipHeight)
    if (height % BITCOIN_SAVE_BLOCK_COUNT === 0) await save(env, state)
  }
  state = { ...state, scannedAt: nowSeconds }
  await save(env, state)
  return state
}

/** Drops blocks that are not on the node's best chain any more, with what they registered. */
async function takeBack(
  state: ChainState,
  tipHeight: number,
  hashAt: (height: number) => Promise<string>,
): Promise<ChainState> {
  const recent = [...state.recent]
  for (let last = recent.at(-1); last !== undefined; last = recent.at(-1)) {
    if (last.height <= tipHeight && (await hashAt(last.height)) === last.hash) break
    recent.pop()
  }
  const hadMore = state.recent.length > 0 && recent.length === 0
  if (hadMore && (state.recent[0]?.height ?? 0) > 0)
    throw new HelperError(
      'name-unresolved',
      `chain: expected a reorganisation of less than ${REORGANISATION_BLOCK_COUNT_MAX} blocks, got a longer one: is it another node? Remove the state to scan anew`,
    )
  const height = recent.at(-1)?.height ?? -1
  return { ...state, recent, registrations: state.registrations.filter((entry) => entry.height <= height) }
}

function save(env: Environment, state: ChainState): Promise<void> {
  return writeFileAtomically(statePath(env), [Buffer.from(`${JSON.stringify(state)}\n`)])
}

async function callNode(
  rpc: string,
  method: string,
  params: readonly unknown[],
  signal: AbortSignal,
): Promise<unknown> {
  const url = new URL(rpc)
  const credentials = Buffer.from(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`)
  const authorization = `Basic ${credentials.toString('base64')}`
  url.username = ''
  url.password = ''
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '1.0', id: 'gittorrent', method, params }),
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(BITCOIN_RPC_TIMEOUT_MS)]),
    })
    const length = Number(response.headers.get('content-length') ?? 0)
    if (length > BITCOIN_ANSWER_LENGTH_MAX) throw new Error(`an answer of ${length} bytes`)
    const answer: unknown = await response.json()
    const isAnswer = typeof answer === 'object' && answer !== null && 'result' in answer && 'error' in answer
    if (!isAnswer || answer.error !== null) throw new Error(isAnswer ? JSON.stringify(answer.error) : 'no JSON-RPC')
    return answer.result
  } catch (error) {
    throw new HelperError(
      'name-unresolved',
      `Bitcoin node: expected an answer to ${method}, got ${messageOf(error)}`,
      {},
      error,
    )
  }
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  throw new HelperError('name-unresolved', 'Bitcoin node: expected a text, got something else')
}
