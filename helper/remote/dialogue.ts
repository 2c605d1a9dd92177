/**
 * The remote-helper protocol (gitremote-helpers) as a loop over lines: one verb, its answer, the next, until an empty
 * line, the end of input, or a verb that takes the connection over. Which verbs there are depends on the origin:
 * stream-verbs.ts for file, ssh and git://, http-verbs.ts for an inner git-remote-http.
 */
import { HelperError, printable } from '../errors.ts'
import { BATCH_LINE_COUNT_MAX, COMMAND_LINE_LENGTH_BYTES_MAX } from '../limits.ts'
import type { ByteReader } from './byte-reader.ts'
import type { Session } from './session.ts'

/** What a verb leaves behind: the dialogue goes on, or it is over with an exit status. */
export type Outcome = { readonly isOver: false } | { readonly isOver: true; readonly status: number }

/** Takes the whole line, answers it, and reads further lines where the verb opens a batch. */
export type Verb = (line: string, session: Session) => Promise<Outcome>

export const GO_ON: Outcome = { isOver: false }

/** Returns the outcome that ends the dialogue with `status`. */
export function over(status: number): Outcome {
  return { isOver: true, status }
}

/** Runs the dialogue to its end; returns the exit status. Throws client-protocol for a verb that is not in `verbs`. */
export async function runDialogue(session: Session, verbs: ReadonlyMap<string, Verb>): Promise<number> {
  for (;;) {
    const line = await session.clientReader.line(COMMAND_LINE_LENGTH_BYTES_MAX)
    if (line === null || line === '') return 0
    session.trace(() => `command ${line}`)
    const verb = verbs.get(line.split(' ', 1)[0] ?? '')
    if (!verb) throw new HelperError('client-protocol', `cannot serve git: unknown command '${printable(line)}'`)
    const outcome = await verb(line, session)
    if (outcome.isOver) return outcome.status
  }
}

/** Reads lines up to an empty one, which is not returned; null when the stream ends before it. */
export async function readBatch(reader: ByteReader): Promise<string[] | null> {
  const lines: string[] = []
  for (;;) {
    const line = await reader.line(COMMAND_LINE_LENGTH_BYTES_MAX)
    if (line === null) return null
    if (line === '') return lines
    if (lines.push(line) > BATCH_LINE_COUNT_MAX) {
      throw new HelperError('limit', `cannot read a batch: expected at most ${BATCH_LINE_COUNT_MAX} lines`)
    }
  }
}
