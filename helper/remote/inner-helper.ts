/**
 * git's own helper for HTTP(S), started with the origin's bare URL: it never looks at url.<base>.insteadOf, reads the
 * user's http.* settings, and asks for credentials as always. Lines in, lines out, until it becomes a v2 stream.
 */
import { printable } from '../errors.ts'
import { COMMAND_LINE_LENGTH_BYTES_MAX } from '../limits.ts'
import { readBatch } from './dialogue.ts'
import { type OriginStream, openProcess } from './origin-stream.ts'
import { enterOrigin } from './recursion.ts'
import type { Session } from './session.ts'

export class InnerHelper {
  readonly stream: OriginStream
  private readonly session: Session

  private constructor(stream: OriginStream, session: Session) {
    this.stream = stream
    this.session = session
  }

  /** Starts `git remote-https <name> <url>`. Throws recursion, origin-unreachable. */
  static async start(session: Session): Promise<InnerHelper> {
    const { origin, remoteName } = session
    const name = remoteName.includes('::') || remoteName.includes('://') ? origin.url : remoteName
    const command = {
      file: 'git',
      args: [`remote-${origin.scheme}`, name, origin.url],
      env: enterOrigin(session.env, origin.url),
    }
    return new InnerHelper(await openProcess(command, session), session)
  }

  async send(lines: readonly string[]): Promise<void> {
    await this.stream.writer.write(lines.map((line) => `${line}\n`).join(''))
  }

  /** Returns one line of answer, null when the helper has ended. */
  async answer(): Promise<string | null> {
    const line = await this.stream.reader.line(COMMAND_LINE_LENGTH_BYTES_MAX)
    this.session.trace(() => `answer ${line === null ? 'none' : printable(line)}`)
    return line
  }

  /** Returns the lines of an answer that an empty line ends, null when the helper has ended before. */
  async answers(): Promise<string[] | null> {
    return readBatch(this.stream.reader)
  }
}
