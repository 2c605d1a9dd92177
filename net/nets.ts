/**
 * Opens nets: one, or several for peers who share different secrets. What is one for the whole process (the port and the limits of
 * bytes per second) is made here, and closed with the last net.
 */
import { Gates } from './gates.ts'
import { Listener } from './listener.ts'
import { type Front, type Net, type NetOptions, OpenNet } from './net.ts'
import { SharedSecret } from './secret.ts'

/**
 * Opens the net: listens at once, looks for nobody before a topic is joined.
 * @throws NetError listen-failed; RangeError for a short secret
 */
export async function openNet(options: NetOptions): Promise<Net> {
  const [net] = await openNets([options])
  if (net === undefined) throw new Error('as many nets as options')
  return net
}

/**
 * Opens nets of different secrets, one of them without perhaps, behind one port and under one pair of limits: those of the first
 * options, which have to be those of all. Whoever comes in says whose secret he holds.
 * @returns a net for each of the options, in their order @throws NetError listen-failed; RangeError for a short secret
 */
export async function openNets(all: readonly NetOptions[]): Promise<readonly Net[]> {
  const [first] = all
  if (first === undefined) return []
  const secrets = all.map(({ secret }) => (secret === undefined ? null : new SharedSecret(secret)))
  const gates = first.gates ?? new Gates(first)
  const listener = first.listen === null ? null : await Listener.open(first.listen, gates)
  let leftCount = 0
  const front: Front = {
    gates,
    listener,
    isShared: all.length > 1,
    leave: async () => {
      leftCount++
      if (leftCount < all.length) return
      await listener?.close()
      if (first.gates === undefined) gates.close()
    },
  }
  const nets = all.map((options, index) => new OpenNet(options, secrets[index] ?? null, front))
  try {
    for (const net of nets) await net.open()
    return nets
  } catch (error) {
    await Promise.all(nets.map((net) => net.close()))
    throw error
  }
}
