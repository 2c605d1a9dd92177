// Fuzz target: the guard in front of the DHT. It never throws, and what it lets through it lets through unchanged again.
import { cleanDatagram } from '../../net/krpc.ts'

export function fuzz(bytes: Uint8Array): void {
  const clean = cleanDatagram(bytes, 'public')
  if (clean === null) return
  const again = cleanDatagram(clean, 'public')
  if (again === null || Buffer.compare(again, clean) !== 0) throw new Error('the guard does not accept its own output')
}
