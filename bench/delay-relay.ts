/**
 * Delay and loss for a machine of the bench network, without help of the kernel's traffic control: the machine's line is a pair
 * of TAP devices, and a small process between them holds back what the machine sends and drops some of it, frame by frame. What
 * it did is counted, so that a bench can print what was, not what was asked for. Needs root, Python 3 and /dev/net/tun.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** Ends with its stdin; each line there is answered with the counts so far. TAP devices deliver frames that are not merged. */
const SCRIPT = `
import collections, ctypes, fcntl, json, os, random, select, signal, struct, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
inner, inner_name, outer, outer_name, delay_ms, loss_percent, seed = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
def tap(namespace, name):
    with open('/var/run/netns/' + namespace) as file:
        if libc.setns(file.fileno(), 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), 'setns')
    fd = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, 0x400454ca, struct.pack('16sH22x', name.encode(), 0x1002))
    return fd
def frames(fd):
    for _ in range(64):
        try:
            yield os.read(fd, 65536)
        except BlockingIOError:
            return
def send(fd, frame):
    try:
        os.write(fd, frame)
    except OSError:
        pass
try:
    # A busy machine must not make the line slower than it is asked to be.
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
except OSError:
    pass
machine, hub = tap(inner, inner_name), tap(outer, outer_name)
print('ready', flush=True)
delay, loss, draw = float(delay_ms) / 1000, float(loss_percent) / 100, random.Random(int(seed)).random
held = collections.deque()
seen = lost = 0
late = worst = 0.0
while True:
    wait = max(0, held[0][0] - time.monotonic()) if held else None
    ready = select.select((machine, hub, 0), (), (), wait)[0]
    if machine in ready:
        for frame in frames(machine):
            seen += 1
            if draw() < loss:
                lost += 1
            else:
                held.append((time.monotonic() + delay, frame))
    while held and held[0][0] <= time.monotonic():
        due, frame = held.popleft()
        send(hub, frame)
        over = time.monotonic() - due
        late += over
        worst = max(worst, over)
    if hub in ready:
        for frame in frames(hub):
            send(machine, frame)
    if 0 in ready:
        if not os.read(0, 4096):
            break
        mean = late / max(1, seen - lost)
        print(json.dumps({'seen': seen, 'lost': lost, 'lateMs': mean * 1000, 'worstLateMs': worst * 1000}), flush=True)
`

/** What a relay did with the frames that its machine sent. */
export interface RelayCounts {
  readonly seen: number
  readonly lost: number
  /** How much longer than asked for frames were held: on average, and at worst. */
  readonly lateMs: number
  readonly worstLateMs: number
}

/** A device in a namespace. */
export interface End {
  readonly namespace: string
  readonly device: string
}

/** Why there can be no relay here, null if there can. */
export function relayObstacle(): string | null {
  if (!existsSync('/dev/net/tun')) return 'delay needs /dev/net/tun'
  try {
    execFileSync('python3', ['-c', 'import ctypes, fcntl'], { stdio: 'ignore' })
    return null
  } catch {
    return 'delay needs Python 3'
  }
}

export class DelayRelay {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  private constructor(child: ChildProcess, lines: AsyncIterator<string>) {
    this.#child = child
    this.#lines = lines
  }

  /** Makes both devices; they vanish with the relay. `delayMs` and `lossPercent` are for what `machine` sends. */
  static async start(machine: End, hub: End, delayMs: number, lossPercent: number, seed: number): Promise<DelayRelay> {
    const ends = [machine.namespace, machine.device, hub.namespace, hub.device]
    const args = ['-c', SCRIPT, ...ends, ...[delayMs, lossPercent, seed].map(String)]
    const child = spawn('python3', args, { stdio: ['pipe', 'pipe', 'inherit'] })
    child.stdin.on('error', () => {})
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const { value } = await lines.next()
    if (value !== 'ready') throw new Error('the relay of a line did not start')
    return new DelayRelay(child, lines)
  }

  async counts(): Promise<RelayCounts> {
    this.#child.stdin?.write('\n')
    return JSON.parse((await this.#lines.next()).value)
  }

  /** Ends it at once; idempotent. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }
}
