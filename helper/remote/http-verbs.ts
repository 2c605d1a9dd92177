/**
 * The verbs for HTTP(S) origins: every line goes to an inner git-remote-http and its answer comes back unchanged, so
 * list, push, get and all options behave as with plain git. Two verbs get more: `stateless-connect git-upload-pack`
 * becomes the v2 relay when the inner helper accepts it (it answers `fallback` for v0, v1 and dumb origins), other services
 * being copied, and a plain `fetch` batch asks the swarm first and runs with temporary refs, from which the inner
 * negotiation starts.
 */
import { HelperError, printable } from '../errors.ts'
import { COMMAND_LINE_LENGTH_BYTES_MAX } from '../limits.ts'
import { copyBothWays } from './connect.ts'
import { GO_ON, type Outcome, over, readBatch, type Verb } from './dialogue.ts'
import { InnerHelper } from './inner-helper.ts'
import type { OriginStream } from './origin-stream.ts'
import { relayProtocolV2 } from './relay.ts'
import type { Session } from './session.ts'
import { withTemporaryRefs } from './temporary-refs.ts'

const FAILED = 128

/** Options after which a fetch is not plain: the swarm has no part in it. */
const SWARMLESS_OPTION = /^option (depth|deepen-\S+|filter|from-promisor|refetch|update-shallow) (?!false$)/

/** Starts the inner helper and returns the verbs that talk to it. */
export async function httpVerbs(session: Session): Promise<ReadonlyMap<string, Verb>> {
  const dialogue = new HttpDialogue(await InnerHelper.start(session), session)
  return new Map<string, Verb>([
    ['capabilities', (line) => dialogue.forwardForBatch([line])],
    ['option', (line) => dialogue.option(line)],
    ['list', (line) => dialogue.list(line)],
    ['fetch', (line) => dialogue.fetch(line)],
    ['push', (line) => dialogue.push(line)],
    ['get', (line) => dialogue.forwardForBatch([line])],
    ['stateless-connect', (line) => dialogue.statelessConnect(line)],
  ])
}

class HttpDialogue {
  private readonly inner: InnerHelper
  private readonly session: Session
  private isPlain = true
  /** Lines that the inner helper took. */
  private readonly options: string[] = []

  constructor(inner: InnerHelper, session: Session) {
    this.inner = inner
    this.session = session
  }

  /** Sends lines and passes the answer on, which ends with an empty line. */
  async forwardForBatch(lines: readonly string[], note: (line: string) => void = () => {}): Promise<Outcome> {
    const answer = await this.ask(lines)
    answer?.forEach(note)
    return this.passOn(answer)
  }

  /** The answer to some lines, null when the inner helper has ended. */
  private async ask(lines: readonly string[]): Promise<readonly string[] | null> {
    await this.inner.send(lines)
    return this.inner.answers()
  }

  private async passOn(answer: readonly string[] | null): Promise<Outcome> {
    if (answer === null) return this.failed()
    await this.session.clientWriter.write(`${[...answer, ''].join('\n')}\n`)
    return GO_ON
  }

  async option(line: string): Promise<Outcome> {
    if (SWARMLESS_OPTION.test(line)) this.isPlain = false
    this.session.supply.noteOption(line)
    await this.inner.send([line])
    const answer = await this.inner.answer()
    if (answer === null) return this.failed()
    if (answer === 'ok') this.options.push(line)
    await this.session.clientWriter.write(`${answer}\n`)
    return GO_ON
  }

  async list(line: string): Promise<Outcome> {
    return this.forwardForBatch([line], (answer) => this.session.supply.memory.noteList(answer))
  }

  async push(line: string): Promise<Outcome> {
    const rest = await readBatch(this.session.clientReader)
    return rest === null ? over(FAILED) : this.forwardForBatch([line, ...rest, ''])
  }

  async fetch(line: string): Promise<Outcome> {
    const { session } = this
    const { supply } = session
    const rest = await readBatch(session.clientReader)
    if (rest === null) return over(FAILED)
    const lines = [line, ...rest]
    const wants = lines.map((one) => one.split(' ')[1] ?? '')
    if (this.isPlain) {
      supply.originBytes = null
      const objectFormat = wants[0]?.length === 64 ? 'sha256' : 'sha1'
      const wanted = { objectFormat, wants, haves: [], isClone: false, isShallow: false, isUnshallow: false } as const
      await supply.bringOnce(wanted, new Promise(() => {}))
    }
    const haves = this.isPlain ? supply.haves : []
    const answer = await withTemporaryRefs(haves, session.env, () => this.ask([...lines, '']))
    // The refs have gone by now: git looks at all refs as soon as it hears of the end, and dies of one that goes meanwhile.
    const outcome = await this.passOn(answer)
    await supply.close()
    return outcome
  }

  async statelessConnect(line: string): Promise<Outcome> {
    const { session, inner } = this
    const isUploadPack = line === 'stateless-connect git-upload-pack'
    await inner.send([line])
    if (isUploadPack) void session.supply.prepare()
    const answer = await inner.stream.reader.line(COMMAND_LINE_LENGTH_BYTES_MAX)
    if (answer === null) return this.failed()
    await session.clientWriter.write(`${answer}\n`)
    if (answer !== '') return GO_ON
    // `git archive --remote`, from git 2.44 on: no greeting, and nothing for the swarm.
    if (!isUploadPack) return over(await copyBothWays(session, inner.stream, null))
    const reopen = (): Promise<OriginStream> => this.reopen(line)
    return over(await relayProtocolV2(session, inner.stream, { isStateless: true, first: null, reopen }))
  }

  /** Another inner helper, as far as this one has come. */
  private async reopen(line: string): Promise<OriginStream> {
    const inner = await InnerHelper.start(this.session)
    for (const option of this.options) {
      await inner.send([option])
      await inner.answer()
    }
    await inner.send([line])
    const answer = await inner.answer()
    if (answer !== '') {
      inner.stream.abandon()
      throw new HelperError(
        'origin-unreachable',
        `cannot ask the origin again: expected '', got '${printable(answer ?? 'nothing')}'`,
      )
    }
    return inner.stream
  }

  /** The inner helper has said on stderr what is wrong. */
  private async failed(): Promise<Outcome> {
    await this.inner.stream.close()
    return over(FAILED)
  }
}
