/**
 * What came from the connections of one download, those that have ended included: whoever watches it sees who brings something, and its sum
 * shows a download that receives far more than it needs.
 */
import type { Address } from './address.ts'
import type { Connection } from './connection.ts'
import { BLOCK_LENGTH } from './swarm/wire-messages.ts'

interface Tally {
  readonly address: Address
  /** Null once it has ended. */
  connection: Connection | null
  /** Valid from then on. */
  receivedLength: number
}

/** What came from one connection. */
export interface Received {
  readonly address: Address
  readonly connected: boolean
  /** Bytes, protocol overhead included. */
  readonly receivedLength: number
}

export class Tallies {
  readonly #tallies = new Set<Tally>()
  /** Bytes of connections that ended before they brought a block: strangers may make as many of those as they like. */
  #uselessLength = 0

  /** Counts what comes from `connection`, which was dialled under `address`, or came from there. */
  keep(address: Address, connection: Connection): void {
    const tally: Tally = { address, connection, receivedLength: 0 }
    this.#tallies.add(tally)
    connection.once('close', () => {
      tally.connection = null
      tally.receivedLength = connection.receivedLength
      if (tally.receivedLength >= BLOCK_LENGTH) return
      this.#tallies.delete(tally)
      this.#uselessLength += tally.receivedLength
    })
  }

  /** Of each connection that is open, or has brought a block. */
  list(): Received[] {
    return [...this.#tallies].map(({ address, connection, receivedLength }) => ({
      address,
      connected: connection?.destroyed === false,
      receivedLength: connection?.receivedLength ?? receivedLength,
    }))
  }

  /** Bytes of all connections. */
  get receivedLength(): number {
    let length = this.#uselessLength
    for (const { connection, receivedLength } of this.#tallies) length += connection?.receivedLength ?? receivedLength
    return length
  }
}
