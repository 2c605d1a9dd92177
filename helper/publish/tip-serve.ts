/**
 * The answering end of the tunnel: `git upload-pack` on an isolated repository, one process per question, with nothing of
 * the user's configuration or environment, wants checked against what is published now, bounded in number, time and
 * bytes. Protocol v2 hands out any object by name, so it is the isolation, not the check, that keeps other objects in.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { type AnswerStream, KeyedBuckets, Refusal } from '../../net/index.ts'
import type { Trace } from '../trace.ts'
import {
  TIP_BURST_COUNT,
  TIP_HOST_COUNT_MAX,
  TIP_PARALLEL_COUNT,
  TIP_PER_HOST_COUNT,
  TIP_RATE_PER_S,
  TIP_READER_FREE_LENGTH,
  TIP_READER_RATE_MIN,
  TIP_READER_WAIT_MS_MAX,
  TIP_SERVE_TIMEOUT_MS,
} from './limits.ts'
import { decodeTipRequest, encodeTipRequest } from './tip-request.ts'

export interface TipOffer {
  readonly gitDir: string
  readonly objectFormat: 'sha1' | 'sha256'
  /** Oids that are published, and so may be wanted. */
  readonly advertised: ReadonlySet<string>
}

const CONFIGURATION = [
  'core.hooksPath=/dev/null',
  'uploadpack.allowFilter=false',
  'uploadpack.allowAnySHA1InWant=false',
  'uploadpack.allowRefInWant=false',
  'pack.threads=1',
  'pack.windowMemory=64m',
  'core.packedGitLimit=256m',
].flatMap((setting) => ['-c', setting])

/** One answer on its way, and how long its asker has kept it waiting. */
interface Running {
  readonly owner: string
  sentLength: number
  waitedMs: number
  /** Since when the asker keeps it waiting, by the monotonic clock; null while git is waited for. */
  waitsSinceMs: number | null
}

/** All tunnels of one process; shares the bounds between repositories. */
export class TipServer {
  readonly #running = new Map<ChildProcessByStdio<Writable, Readable, null>, Running>()
  readonly #starts = new KeyedBuckets(TIP_RATE_PER_S, TIP_BURST_COUNT, TIP_HOST_COUNT_MAX)
  readonly #trace: Trace
  #isClosed = false

  constructor(trace: Trace) {
    this.#trace = trace
  }

  /** Answers a question; `owner` is charged for it. @throws Refusal malformed, not-advertised, busy */
  async answer(offer: TipOffer, payload: Uint8Array, owner: string): Promise<AnswerStream> {
    const request = decodeTipRequest(payload)
    const isOffered =
      request.objectFormat === offer.objectFormat && request.wants.every((oid) => offer.advertised.has(oid))
    if (!isOffered) throw new Refusal('not-advertised')
    const ofOwner = [...this.#running.values()].filter((running) => running.owner === owner).length
    if (this.#isClosed || ofOwner >= TIP_PER_HOST_COUNT) throw new Refusal('busy')
    if (this.#running.size >= TIP_PARALLEL_COUNT && !this.#makeRoom()) throw new Refusal('busy')
    // Who asks and leaves, again and again, would have us start git for nothing.
    if (!this.#starts.take(owner)) throw new Refusal('busy')
    const args = [...CONFIGURATION, 'upload-pack', '--strict', '--stateless-rpc', offer.gitDir]
    const surroundings = { env: bareEnvironment(), cwd: '/', detached: true }
    const child = spawn('git', args, { ...surroundings, stdio: ['pipe', 'pipe', 'ignore'] })
    const running = { owner, sentLength: 0, waitedMs: 0, waitsSinceMs: null }
    this.#running.set(child, running)
    const timer = setTimeout(() => end(child), TIP_SERVE_TIMEOUT_MS)
    const exited = new Promise<number | null>((resolve) => {
      child.once('error', () => resolve(null))
      child.once('close', resolve)
    })
    void exited.then((status) => {
      clearTimeout(timer)
      this.#running.delete(child)
      this.#trace(() => `tip: ${request.wants.length} wants, ${request.haves.length} haves, status ${status}`)
    })
    child.stdin.on('error', () => {})
    child.stdin.end(encodeTipRequest(request))
    return {
      close: () => end(child),
      [Symbol.asyncIterator]: () => answerOf(child.stdout, exited, running),
    }
  }

  /** Ends the answer of an asker who hardly reads it: hosts are cheap, so nobody may keep places by being slow. */
  #makeRoom(): boolean {
    const nowMs = performance.now()
    for (const [child, running] of this.#running) {
      const waitedMs = running.waitedMs + (running.waitsSinceMs === null ? 0 : nowMs - running.waitsSinceMs)
      const takenLength = running.sentLength - TIP_READER_FREE_LENGTH
      const isSlow = takenLength * 1000 < TIP_READER_RATE_MIN * waitedMs
      if (waitedMs < TIP_READER_WAIT_MS_MAX || !isSlow) continue
      this.#running.delete(child)
      end(child)
      return true
    }
    return false
  }

  /** Ends all processes; idempotent. */
  close(): void {
    this.#isClosed = true
    for (const child of this.#running.keys()) end(child)
  }
}

/**
 * Ends git with all that it has started, which is a process group of its own: `git pack-objects` alone would go on counting
 * objects for somebody who has left, and the next asker would have its place.
 */
function end({ pid }: ChildProcessByStdio<Writable, Readable, null>): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}

/** What git says, and an error at the end if it failed: half a pack must not look like a whole one. */
async function* answerOf(
  stdout: Readable,
  exited: Promise<number | null>,
  running: Running,
): AsyncGenerator<Uint8Array> {
  for await (const bytes of stdout) {
    const startedMs = performance.now()
    running.waitsSinceMs = startedMs
    yield bytes
    running.waitsSinceMs = null
    running.waitedMs += performance.now() - startedMs
    running.sentLength += bytes.length
  }
  if ((await exited) !== 0) throw new Error('git upload-pack failed')
}

/** Nothing is inherited but where programs are. */
function bareEnvironment(): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    LC_ALL: 'C',
    HOME: '/nonexistent',
    GIT_PROTOCOL: 'version=2',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_NO_LAZY_FETCH: '1',
    // Git before 2.39.4, and from 2.40 to 2.45.0, does not know that one; with this it has no way to fetch.
    GIT_ALLOW_PROTOCOL: 'none',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_TERMINAL_PROMPT: '0',
  }
}
