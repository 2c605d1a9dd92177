// Goal: peers of a swarm that lie, swallow, drip or fall silent cost an honest download little time and never its bytes.
// Method: the simulated network, with attackers of our own on its members' links; times are virtual, so they are exact.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type SimulatedMember, SimulatedNetwork } from '../../bench/simulated-network.ts'
import { encodeMessage, ID, parseMessages, type WireMessage } from '../../net/swarm/wire-messages.ts'

const GOOD = { upRate: 500_000, downRate: 4_000_000, delayMs: 1, lossShare: 0 }
const END_MS = 600_000

/** Adds what an attack consists of; called before the honest member joins. */
type Attack = (network: SimulatedNetwork, source: SimulatedMember, member: SimulatedMember) => void

/** Milliseconds that one member needs to get 2 MiB from one source. */
async function timeOf(attack: Attack): Promise<number> {
  const network = new SimulatedNetwork(7, 2 * 2 ** 20, 16_384)
  const source = network.add('source', GOOD, true)
  const member = network.add('member', GOOD)
  attack(network, source, member)
  network.timeline.at(500, () => network.connect(member, source))
  await network.timeline.run(() => member.doneAtMs !== null, END_MS)
  assert.ok(member.doneAtMs !== null && !member.isLost, 'the member gets everything, and right')
  return member.doneAtMs
}

/** A peer of `victim` that answers each message with messages of its own, `delayMs` later. */
function joinAs(
  network: SimulatedNetwork,
  victim: SimulatedMember,
  hello: readonly Uint8Array[],
  answer: (message: WireMessage) => readonly Uint8Array[],
): void {
  const { timeline } = network
  let isOpen = true
  const say = (messages: readonly Uint8Array[]): void => {
    for (const message of messages) {
      timeline.at(timeline.nowMs + 1, () => {
        if (isOpen) end?.receive(message)
      })
    }
  }
  const end = victim.swarm.join({
    name: 'attacker',
    fast: true,
    extended: false,
    backlogLength: 0,
    backlogLengthMax: 1,
    send: (parts) => {
      const run = Buffer.concat(parts)
      timeline.at(timeline.nowMs + 1, () => {
        for (const message of parseMessages(run)) say(answer(message))
      })
    },
    drop: () => {
      isOpen = false
      end?.closed()
    },
  })
  say(hello)
}

const honestMs = await timeOf(() => {})

test('peers that swallow what they are shown and pass nothing on delay nobody twice over', async () => {
  const swallow: Attack = (network, source) => {
    for (let count = 0; count < 20; count++) {
      let hasAsked = false
      joinAs(network, source, [encodeMessage(ID.haveNone), encodeMessage(ID.interested)], (message) => {
        if (message.type !== 'have' || hasAsked) return []
        hasAsked = true
        return [encodeMessage(ID.request, message.index, 0, 16_384)]
      })
    }
  }
  const tookMs = await timeOf(swallow)
  assert.ok(tookMs <= 2 * honestMs, `${tookMs} against ${honestMs} ms`)
})

test('peers that are interested and ask for nothing delay nobody twice over', async () => {
  const idle: Attack = (network, source) => {
    const hello = [encodeMessage(ID.haveNone), encodeMessage(ID.interested)]
    for (let count = 0; count < 63; count++) joinAs(network, source, hello, () => [])
  }
  const tookMs = await timeOf(idle)
  assert.ok(tookMs <= 2 * honestMs, `${tookMs} against ${honestMs} ms`)
})

const MANNERS: Readonly<Record<string, (message: WireMessage) => readonly Uint8Array[]>> = {
  'ask for all they are shown and never have it': (message) =>
    message.type === 'have' ? [encodeMessage(ID.request, message.index, 0, 16_384)] : [],
  'ask for what they are shown and say at once that they have it': (message) =>
    message.type === 'have'
      ? [encodeMessage(ID.request, message.index, 0, 16_384), encodeMessage(ID.have, message.index)]
      : [],
}

for (const [manner, answer] of Object.entries(MANNERS)) {
  test(`peers that ${manner} delay nobody twice over`, async () => {
    const tookMs = await timeOf((network, source) => {
      for (let count = 0; count < 20; count++) {
        joinAs(network, source, [encodeMessage(ID.haveNone), encodeMessage(ID.interested)], answer)
      }
    })
    assert.ok(tookMs <= 2 * honestMs, `${tookMs} against ${honestMs} ms`)
  })
}

test('peers that claim to have everything and serve nothing delay nobody twice over', async () => {
  const claim: Attack = (network, source, member) => {
    for (const victim of [source, member]) {
      for (let count = 0; count < 20; count++) {
        joinAs(
          network,
          victim,
          [encodeMessage(ID.haveAll), encodeMessage(ID.unchoke), encodeMessage(ID.interested)],
          () => [],
        )
      }
    }
  }
  const tookMs = await timeOf(claim)
  assert.ok(tookMs <= 2 * honestMs, `${tookMs} against ${honestMs} ms`)
})

test('sources that drip a kilobyte a second delay nobody twice over', async () => {
  const drip: Attack = (network, _source, member) => {
    for (let count = 0; count < 3; count++) {
      const dripping = network.add(`drip ${count}`, { ...GOOD, upRate: 1_000 }, true)
      network.timeline.at(400, () => network.connect(member, dripping))
    }
  }
  const tookMs = await timeOf(drip)
  assert.ok(tookMs <= 2 * honestMs, `${tookMs} against ${honestMs} ms`)
})

test('peers that send wrong blocks are dropped, and what they spoilt is fetched again', async () => {
  const dropped: string[] = []
  const poison: Attack = (network, _source, member) => {
    for (let count = 0; count < 5; count++) {
      joinAs(network, member, [encodeMessage(ID.haveAll), encodeMessage(ID.unchoke)], (message) => {
        if (message.type !== 'request') return []
        dropped.push('asked')
        const head = Buffer.from([0, 0, 0, 0, ID.piece, 0, 0, 0, 0, 0, 0, 0, 0])
        head.writeUInt32BE(9 + message.length, 0)
        head.writeUInt32BE(message.index, 5)
        head.writeUInt32BE(message.offset, 9)
        return [Buffer.concat([head, Buffer.alloc(message.length, 0x5a)])]
      })
    }
  }
  const tookMs = await timeOf(poison)
  assert.ok(tookMs <= 2 * honestMs, `${tookMs} against ${honestMs} ms`)
  assert.ok(dropped.length > 0)
})

test('peers that reject all they are asked for delay nobody twice over', async () => {
  const reject: Attack = (network, _source, member) => {
    for (let count = 0; count < 5; count++) {
      joinAs(network, member, [encodeMessage(ID.haveAll), encodeMessage(ID.unchoke)], (message) =>
        message.type === 'request' ? [encodeMessage(ID.reject, message.index, message.offset, message.length)] : [],
      )
    }
  }
  const tookMs = await timeOf(reject)
  assert.ok(tookMs <= 2 * honestMs, `${tookMs} against ${honestMs} ms`)
})
