/**
 * git-remote-gittorrent with a supply that stands in for the swarm: GITTORRENT_TEST_SUPPLY names a JSON file
 * `{pack, haves, expected, log, stall}`; the pack is indexed into the repository as the real supply would do, and what was asked
 * goes into the log. With `stall` it never answers until it is aborted. GITTORRENT_TEST_BESIDE has the origin answer beside it first, and
 * says whether that answer is to be used ('use') or to be dropped ('drop'); with 'at-once' it is dropped before it has come.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, createReadStream, readFileSync, statSync } from 'node:fs'
import { serveGit } from '../../helper/remote/process.ts'
import { NOTHING_SUPPLIED, type SupplyRequest, type SupplyResult } from '../../helper/remote/supply.ts'

export interface TestSupply {
  readonly pack: string
  readonly haves: readonly string[]
  /** What is said to be in the pack before anybody looks into it. */
  readonly expected: readonly string[]
  readonly log: string
  readonly stall: boolean
}

async function bring(plan: TestSupply, request: SupplyRequest): Promise<SupplyResult> {
  const { wants, haves, refs, head, isClone, origin, objectFormat } = request
  const shown = { wants, haves, refs: Object.fromEntries(refs), head, isClone, origin, objectFormat }
  appendFileSync(plan.log, `${JSON.stringify(shown)}\n`)
  if (plan.stall) {
    if (!request.signal.aborted) await once(request.signal, 'abort')
    appendFileSync(plan.log, `${JSON.stringify({ aborted: true })}\n`)
    return NOTHING_SUPPLIED
  }
  if (request.isShallow) return NOTHING_SUPPLIED
  const beside = process.env.GITTORRENT_TEST_BESIDE
  if (beside !== undefined) {
    const answer = request.askOrigin?.([])
    while (beside !== 'at-once' && answer?.isFull() === false) await new Promise((resolve) => setImmediate(resolve))
    if (beside === 'use') return NOTHING_SUPPLIED
    answer?.drop()
  }
  request.onArrived?.(plan.expected)
  const args = ['index-pack', '--stdin', '--fix-thin', '--keep=gittorrent']
  const child = spawn('git', args, {
    env: { ...process.env, GIT_DIR: request.gitDir },
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  createReadStream(plan.pack).pipe(child.stdin)
  await once(child, 'exit')
  return { haves: plan.haves, bytesFromPeers: statSync(plan.pack).size, peerCount: 2, note: null }
}

const plan: TestSupply = JSON.parse(readFileSync(process.env.GITTORRENT_TEST_SUPPLY ?? '', 'utf8'))

await serveGit(async () => ({ bring: (request) => bring(plan, request), close: async () => {} }))
