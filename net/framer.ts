/**
 * Cuts a BitTorrent byte stream into whole messages before any library sees it: the handshake, then length-prefixed frames.
 * Bounds every length, checks the handshake's first 20 bytes, and drops frames whose message id is not wanted.
 * Each byte is copied at most twice, however small the pieces are in which it comes: bittorrent-protocol alone joins
 * its whole backlog for every piece, which is quadratic.
 */
import { fromLatin1, latin1 } from './bencode.ts'
import { NetError } from './errors.ts'
import { WIRE_MESSAGE_LENGTH_MAX } from './limits.ts'

const PROTOCOL = fromLatin1('\x13BitTorrent protocol')
const HANDSHAKE_LENGTH = 68
const PREFIX_LENGTH = 4
const FIRST_CAPACITY = 32 * 1024

/** What the first 68 bytes say (BEP 3, BEP 10). */
export interface Handshake {
  readonly infohash: Uint8Array
  readonly peerId: Uint8Array
  /** The peer speaks the extension protocol. */
  readonly extended: boolean
  /** The peer speaks the fast extension (BEP 6). */
  readonly fast: boolean
}

export interface FramerOptions {
  /** Called once, before the handshake bytes are returned. */
  readonly onHandshake: (handshake: Handshake) => void
  /** True for message ids that may pass. */
  readonly wants: (messageId: number) => boolean
}

export class Framer {
  readonly #options: FramerOptions
  #handshakeDone = false
  #held: Uint8Array = new Uint8Array(0)
  #heldLength = 0

  constructor(options: FramerOptions) {
    this.#options = options
  }

  /**
   * Takes the next bytes of the stream and returns the whole frames that they complete, in order.
   * @throws NetError message-malformed, message-limit; the connection is to be dropped then
   */
  push(chunk: Uint8Array): Uint8Array[] {
    const frames: Uint8Array[] = []
    let at = this.#heldLength > 0 ? this.#completeHeld(chunk, frames) : 0
    if (this.#heldLength > 0) return frames
    let from = at
    for (;;) {
      const length = this.#frameLength(chunk, at, chunk.length)
      if (length === null || chunk.length - at < length) break
      if (!this.#admits(chunk.subarray(at, at + length))) {
        if (at > from) frames.push(chunk.subarray(from, at))
        from = at + length
      }
      at += length
    }
    if (at > from) frames.push(chunk.subarray(from, at))
    if (at < chunk.length)
      this.#hold(chunk.subarray(at), this.#frameLength(chunk, at, chunk.length) ?? HANDSHAKE_LENGTH)
    return frames
  }

  /** Fills up the frame that earlier chunks began; returns how many bytes of `chunk` it took. */
  #completeHeld(chunk: Uint8Array, frames: Uint8Array[]): number {
    let used = 0
    let length = this.#frameLength(this.#held, 0, this.#heldLength)
    if (length === null) {
      used = Math.min(PREFIX_LENGTH - this.#heldLength, chunk.length)
      this.#hold(chunk.subarray(0, used), HANDSHAKE_LENGTH)
      length = this.#frameLength(this.#held, 0, this.#heldLength)
      if (length === null) return used
    }
    const rest = chunk.subarray(used, used + length - this.#heldLength)
    this.#hold(rest, length)
    used += rest.length
    if (this.#heldLength < length) return used
    const frame = this.#held.subarray(0, length)
    this.#held = new Uint8Array(0)
    this.#heldLength = 0
    if (this.#admits(frame)) frames.push(frame)
    return used
  }

  #hold(bytes: Uint8Array, frameLength: number): void {
    const needed = this.#heldLength + bytes.length
    if (needed > this.#held.length) {
      const capacity = Math.max(needed, Math.min(frameLength, Math.max(FIRST_CAPACITY, 2 * this.#held.length)))
      const grown = new Uint8Array(capacity)
      grown.set(this.#held.subarray(0, this.#heldLength))
      this.#held = grown
    }
    this.#held.set(bytes, this.#heldLength)
    this.#heldLength = needed
  }

  /** Length of the frame at `at`, null while its prefix is incomplete. */
  #frameLength(bytes: Uint8Array, at: number, end: number): number | null {
    if (!this.#handshakeDone) {
      if (end > at && bytes[at] !== PROTOCOL[0])
        throw new NetError('message-malformed', 'handshake: expected BitTorrent')
      return HANDSHAKE_LENGTH
    }
    if (end - at < PREFIX_LENGTH) return null
    const length = new DataView(bytes.buffer, bytes.byteOffset + at, PREFIX_LENGTH).getUint32(0)
    if (length > WIRE_MESSAGE_LENGTH_MAX) {
      throw new NetError('message-limit', `message: expected at most ${WIRE_MESSAGE_LENGTH_MAX} bytes, got ${length}`)
    }
    return PREFIX_LENGTH + length
  }

  #admits(frame: Uint8Array): boolean {
    if (this.#handshakeDone) {
      const id = frame[PREFIX_LENGTH]
      return id === undefined || this.#options.wants(id)
    }
    if (latin1(frame.subarray(0, PROTOCOL.length)) !== latin1(PROTOCOL)) {
      throw new NetError('message-malformed', 'handshake: expected the BitTorrent protocol')
    }
    this.#handshakeDone = true
    this.#options.onHandshake({
      infohash: Uint8Array.from(frame.subarray(28, 48)),
      peerId: Uint8Array.from(frame.subarray(48, 68)),
      extended: ((frame[25] ?? 0) & 0x10) !== 0,
      fast: ((frame[27] ?? 0) & 0x04) !== 0,
    })
    return true
  }
}
