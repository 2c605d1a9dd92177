/**
 * The limits of bytes per second of one process, each way. Whatever moves bytes in it goes through the same pair, so that
 * a limit holds for all together: peers of all nets, and what the helper takes from web servers and gives as one.
 */
import { ByteGate } from './rate.ts'

export interface GateLimits {
  /** Bytes per second; absent or 0: no limit. */
  readonly uploadLimit?: number | null | undefined
  readonly downloadLimit?: number | null | undefined
}

/** Close when all that goes through is closed. */
export class Gates {
  readonly up: ByteGate
  readonly down: ByteGate

  constructor({ uploadLimit, downloadLimit }: GateLimits = {}) {
    this.up = new ByteGate(uploadLimit ?? null)
    this.down = new ByteGate(downloadLimit ?? null)
  }

  close(): void {
    this.up.close()
    this.down.close()
  }
}
