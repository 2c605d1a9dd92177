/**
 * What one run of the remote helper carries around: who asked, for which origin, and the ends of the conversation.
 * Values only; what changes during a run lives in SupplySession.
 */
import type { GitConfig, Settings } from '../config.ts'
import type { Origin } from '../url.ts'
import type { ByteReader } from './byte-reader.ts'
import type { ByteWriter } from './byte-writer.ts'
import type { Surroundings } from './origin-stream.ts'
import type { SupplySession } from './supply-session.ts'

export interface Session extends Surroundings {
  /** Name of the remote as git gave it; the URL itself where there is no name. */
  readonly remoteName: string
  readonly origin: Origin
  /** The client's repository, null for `git ls-remote` outside of one. */
  readonly gitDir: string | null
  readonly config: GitConfig
  readonly settings: Settings
  readonly clientReader: ByteReader
  readonly clientWriter: ByteWriter
  readonly supply: SupplySession
  /** Writes to stderr at once. */
  readonly printText: (text: string) => void
}
