/**
 * A link's payload on a web server as a source that shares the pieces of a swarm with peers: one request for each run of
 * blocks. Bytes are checked by the swarm.
 */

import type { OutsideSource } from '../../../net/index.ts'
import { HelperError } from '../../errors.ts'
import { withoutPassword } from '../../trace.ts'
import type { LinkClaim } from '../chain-claim.ts'
import { type WebConnections, webGet } from './http-get.ts'

export interface WebPayload {
  readonly url: string
  /** No address but a public one may be asked. */
  readonly mustBePublic: boolean
  readonly link: LinkClaim
  readonly connections: WebConnections
  /** Called with the number of bytes of each part that arrived. */
  readonly onBytes: (count: number) => void
}

/** Reads fail with HelperError 'webseed-failed', also where the server knows no ranges or has a file of another length. */
export function rangesOf({ url, mustBePublic, link, connections, onBytes }: WebPayload): OutsideSource {
  async function* read(offset: number, length: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const wanted = { offset, end: offset + length, mustBePublic, signal }
    const answer = await webGet(url, wanted, connections)
    const isOther = answer.fileLength !== null && answer.fileLength !== link.layout.length
    if (isOther || answer.offset !== offset) {
      const expected = `expected bytes ${offset}-${offset + length - 1} of ${link.layout.length}`
      throw new HelperError('webseed-failed', `web seed ${withoutPassword(url)}: ${expected}, got others`)
    }
    for await (const part of answer.body) {
      onBytes(part.length)
      yield part
    }
  }
  return { name: withoutPassword(url), read }
}
