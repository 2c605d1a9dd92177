/**
 * What happens in the simulated network: a crowd behind a slow source, and a swarm in bad weather, where members come and
 * go, lines are uneven and lossy, and the network falls in two for a while. The same seed gives the same course.
 */

import { type SimulatedLine, type SimulatedMember, SimulatedNetwork } from './simulated-network.ts'

/** Virtual time after which a member that is not done counts as stuck: the slowest line needs a quarter of it. */
const END_MS = 20 * 60_000
const GOOD_LINE = { delayMs: 0.2, lossShare: 0 }

export interface Crowd {
  readonly peerCount: number
  /** Peers that leave when they have half of it. */
  readonly leaverCount?: number
  /** Peers whose line is ten times slower than the others'. */
  readonly slowCount?: number
  /** Bytes per second. */
  readonly sourceRate?: number
}

export interface CrowdOutcome {
  /** Times of the peers over the fluid bound, ascending. */
  readonly ratios: readonly number[]
  /** Bytes that the source sent over the length of the content. */
  readonly sourceUpload: number
  readonly wrongCount: number
}

/** Peers that start together behind a source whose uplink is an eighth of their lines. */
export async function simulateCrowd(
  seed: number,
  { peerCount, leaverCount = 0, slowCount = 0, sourceRate = 625_000 }: Crowd,
): Promise<CrowdOutcome> {
  const lengthBytes = 4 * 2 ** 20
  const network = new SimulatedNetwork(seed, lengthBytes, 16_384)
  const source = network.add('source', { ...GOOD_LINE, upRate: sourceRate, downRate: 8 * sourceRate }, true)
  const rateOf = (index: number): number => (sourceRate * 8) / (index < slowCount ? 10 : 1)
  const peers = Array.from({ length: peerCount }, (_, index) =>
    network.add(`peer ${index}`, { ...GOOD_LINE, upRate: rateOf(index), downRate: rateOf(index) }),
  )
  peers.forEach((peer, index) => {
    network.timeline.at(1 + network.random() * 100, () => {
      network.connect(peer, source)
      for (const other of peers.slice(0, index)) network.connect(peer, other)
    })
  })
  const leavers = peers.slice(peerCount - leaverCount)
  const stayers = peers.slice(0, peerCount - leaverCount)
  const isOver = (): boolean => {
    for (const leaver of leavers) if (leaver.isThere && 2 * leaver.have.count > leaver.have.pieceCount) leaver.leave()
    return stayers.every((peer) => peer.doneAtMs !== null)
  }
  await network.timeline.run(isOver, END_MS)
  const upRate = peers.reduce((sum, { line }) => sum + line.upRate, sourceRate)
  const downRate = Math.min(...peers.map(({ line }) => line.downRate))
  const bound = Math.max(lengthBytes / sourceRate, lengthBytes / downRate, (peerCount * lengthBytes) / upRate) * 1000
  return {
    ratios: stayers.map((peer) => (peer.doneAtMs ?? Number.POSITIVE_INFINITY) / bound).sort((a, b) => a - b),
    sourceUpload: source.servedLength / lengthBytes,
    wrongCount: stayers.filter((peer) => peer.isLost).length,
  }
}

export interface WeatherOutcome {
  readonly memberCount: number
  /** Members that stayed to the end without getting everything, or with wrong bytes. */
  readonly stuck: readonly string[]
  readonly leftCount: number
  /** Members to which a web server sent something. */
  readonly webCount: number
  readonly virtualMs: number
}

/**
 * A hundred and twenty members in bad weather; at least one source stays.
 * @param hostileCount how many of them are mute or poison
 * @param webShare share of members that know a web server, which may be slow, break off or send wrong bytes
 */
export async function simulateWeather(
  seed: number,
  memberCount = 120,
  hostileCount = 0,
  webShare = 0,
): Promise<WeatherOutcome> {
  const network = new SimulatedNetwork(seed, 512 * 1024 + 77, 16_384)
  const { random, timeline } = network
  const line = (): SimulatedLine => ({
    upRate: 20_000 * 10 ** (2 * random()),
    downRate: 50_000 * 10 ** (2 * random()),
    delayMs: 1 + 100 * random() ** 2,
    lossShare: random() < 0.3 ? 0.05 * random() : 0,
  })
  const keeper = network.add('keeper', { ...line(), upRate: 200_000 }, true)
  for (let index = 1; index < memberCount; index++) {
    const hostile = index % 2 === 0 ? ('mute' as const) : ('poisoner' as const)
    const role = index <= hostileCount ? hostile : index % 40 === 0
    const member = network.add(`member ${index}`, line(), role)
    timeline.at(1 + random() * 5_000, () => live(network, keeper, member))
    if (random() < webShare) {
      const server = {
        rate: 2_000 * 10 ** (2 * random()),
        delayMs: 300 * random(),
        breakShare: random() < 0.3 ? 0.2 * random() : 0,
        isHonest: random() < 0.8,
      }
      timeline.at(1 + random() * 10_000, () => member.addWebServer(server))
    }
    // Some leave for good, most of them before they are done.
    if (random() < 0.25) timeline.at(2_000 + random() * 30_000, () => member.leave())
  }
  for (let times = Math.floor(random() * 3); times > 0; times--) {
    const fromMs = 2_000 + random() * 20_000
    timeline.at(fromMs, () => {
      for (const member of network.members) member.moveTo(random() < 0.5 ? 1 : 2)
    })
    timeline.at(fromMs + 1_000 + random() * 20_000, () => {
      for (const member of network.members) member.moveTo(0)
    })
  }
  const waiting = (): SimulatedMember[] =>
    network.members.filter((member) => member.isThere && member.doneAtMs === null && !member.have.isFull)
  await timeline.run(() => timeline.nowMs > 40_000 && waiting().length === 0, END_MS)
  const wrong = network.members.filter((member) => member.isLost)
  return {
    memberCount,
    stuck: [...waiting(), ...wrong].map(({ name }) => name),
    webCount: network.members.filter((member) => member.webLength > 0).length,
    leftCount: network.members.filter((member) => !member.isThere).length,
    virtualMs: timeline.nowMs,
  }
}

/** Connects a member to the keeper or not, to a few others, and to more when it has lost some, as look-ups do. */
function live(network: SimulatedNetwork, keeper: SimulatedMember, member: SimulatedMember): void {
  const { random, timeline, members } = network
  if (!member.isThere) return
  if (random() < 0.3) network.connect(member, keeper)
  for (let tries = 0; tries < 12 && member.neighbours.size < 8; tries++) {
    const other = members[Math.floor(random() * members.length)]
    if (other !== undefined) network.connect(member, other)
  }
  // Connections break now and then.
  const [lost] = member.neighbours.values()
  if (lost !== undefined && random() < 0.1) lost()
  timeline.at(timeline.nowMs + 2_000 + random() * 3_000, () => live(network, keeper, member))
}
