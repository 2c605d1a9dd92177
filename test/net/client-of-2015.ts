// The asking half of the first GitTorrent: bittorrent-protocol with the extension ut_gittorrent 0.1.1 as it was
// published in 2015, on one connection.
import { connect } from 'node:net'
import Wire from 'bittorrent-protocol'
import { type Address, asBytes, asDict, decodeBencode } from '../../net/index.ts'

const PEER_ID = Buffer.from('-WW0001-000000000000')

/**
 * Dials the first name and asks for all of them, in order.
 * @returns the infohashes that came, hex, until there are `count` or the other end hangs up
 */
export function askLikeIn2015(address: Address, names: readonly Uint8Array[], count: number): Promise<string[]> {
  return new Promise((resolve) => {
    const socket = connect(address)
    const wire = new Wire('tcp', 0)
    const answers: string[] = []
    const finish = (): void => {
      socket.destroy()
      wire.destroy()
      resolve(answers)
    }
    class UtGittorrent {
      onExtendedHandshake(): void {
        for (const name of names)
          wire.extended('ut_gittorrent', { gittorrent: { sha: Buffer.from(name).toString('hex') } })
      }

      onMessage(bytes: Uint8Array): void {
        const answer = asDict(asDict(decodeBencode(Uint8Array.from(bytes)))?.get('gittorrent'))
        answers.push(Buffer.from(asBytes(answer?.get('infoHash'), 40, 40) ?? []).toString('latin1'))
        if (answers.length === count) finish()
      }
    }
    Object.defineProperty(UtGittorrent.prototype, 'name', { value: 'ut_gittorrent' })
    wire.use(UtGittorrent)
    socket.on('error', () => {})
    socket.once('close', finish)
    socket.pipe(wire).pipe(socket)
    wire.handshake(names[0] ?? new Uint8Array(20), PEER_ID, {})
  })
}
