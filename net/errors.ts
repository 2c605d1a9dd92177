/**
 * The one error class of the net room. Callers match `code`, never the text.
 * Text has the shape "what failed: expected X, got Y, try Z".
 * What a stranger sends ends as a NetError inside this room and costs him the connection; a caller sees only its own waits.
 */

export type NetErrorCode =
  /** bytes are not canonical bencode, or not the message that was due */
  | 'message-malformed'
  /** a bound of limits.ts was passed */
  | 'message-limit'
  /** text is not host:port */
  | 'address-malformed'
  /** info dictionary, infohash and lengths do not belong together */
  | 'torrent-malformed'
  /** a local address cannot be listened on */
  | 'listen-failed'
  /** the peer answered with an error; `data.reason` is its word */
  | 'peer-refused'
  /** the connection to the peer ended before the answer */
  | 'peer-gone'
  /** the answer did not come in time */
  | 'timeout'
  /** the caller's AbortSignal fired */
  | 'aborted'
  /** no peer of a download is connected or can be */
  | 'download-no-peers'
  /** too few bytes arrived for too long */
  | 'download-stalled'
  /** the caller's store refused a read or write; `cause` says why */
  | 'store-failed'
  /** the torrent is being downloaded or seeded already */
  | 'torrent-busy'
  /** the net is closed */
  | 'closed'

/** Thrown for everything that the network or its peers do and that the caller must know. */
export class NetError extends Error {
  override readonly name = 'NetError'
  readonly code: NetErrorCode
  readonly data: Readonly<Record<string, string | number>>

  constructor(
    code: NetErrorCode,
    message: string,
    data: Readonly<Record<string, string | number>> = {},
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.data = data
  }
}
