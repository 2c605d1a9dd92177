/**
 * Delay and loss for a machine of the bench network, without help of the kernel's traffic control: the machine's line is a pair
 * of TAP devices, and a small process between them holds back what the machine sends and drops some of it, frame by frame. What
 * it did is counted, so that a bench can print what was, not what was asked for. Needs root, a C compiler and /dev/net/tun.
 * In C, because a script took more processor time than all the peers of a crowd together, and so slowed down what was measured.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** Ends with its stdin; what comes there is answered with the counts so far. TAP devices deliver frames that are not merged. */
const PROGRAM = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 8192, FRAME = 2048 };
static struct { int64_t due; int length; char bytes[FRAME]; } held[SLOTS];

static void fail(const char *what) { perror(what); exit(1); }

static int64_t now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static int tap(const char *space, const char *name) {
  char path[256];
  snprintf(path, sizeof path, "/var/run/netns/%s", space);
  int file = open(path, O_RDONLY);
  if (file < 0 || setns(file, CLONE_NEWNET) != 0) fail(path);
  close(file);
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  struct ifreq wish = { .ifr_flags = IFF_TAP | IFF_NO_PI };
  strncpy(wish.ifr_name, name, IFNAMSIZ - 1);
  if (fd < 0 || ioctl(fd, TUNSETIFF, &wish) != 0) fail(name);
  return fd;
}

int main(int count, char **words) {
  if (count != 8) return 1;
  signal(SIGINT, SIG_IGN);
  /* A busy machine must not make the line slower than it is asked to be. */
  struct sched_param first = { .sched_priority = 1 };
  sched_setscheduler(0, SCHED_RR, &first);
  int machine = tap(words[1], words[2]), hub = tap(words[3], words[4]);
  int64_t delay = (int64_t)(atof(words[5]) * 1e6);
  double loss = atof(words[6]) / 100;
  uint64_t draw = 0x9e3779b97f4a7c15ULL * (atoi(words[7]) + 1);
  unsigned head = 0, tail = 0;
  long seen = 0, lost = 0;
  double late = 0, worst = 0;
  printf("ready\\n");
  fflush(stdout);
  for (;;) {
    int64_t wait = head == tail ? -1 : held[head % SLOTS].due - now();
    struct timespec pause = { wait > 0 ? wait / 1000000000 : 0, wait > 0 ? wait % 1000000000 : 0 };
    struct pollfd ends[3] = { { machine, POLLIN, 0 }, { hub, POLLIN, 0 }, { 0, POLLIN, 0 } };
    if (ppoll(ends, 3, head == tail ? NULL : &pause, NULL) < 0) fail("ppoll");
    for (int taken = 0; ends[0].revents && taken < 64 && tail - head < SLOTS; taken++) {
      int length = read(machine, held[tail % SLOTS].bytes, FRAME);
      if (length <= 0) break;
      seen++;
      draw ^= draw << 13, draw ^= draw >> 7, draw ^= draw << 17;
      if ((draw >> 11) / 9007199254740992.0 < loss) { lost++; continue; }
      held[tail % SLOTS].due = now() + delay;
      held[tail++ % SLOTS].length = length;
    }
    for (; head != tail && held[head % SLOTS].due <= now(); head++) {
      if (write(hub, held[head % SLOTS].bytes, held[head % SLOTS].length) < 0) { /* the line is full, as lines are */ }
      double over = (now() - held[head % SLOTS].due) / 1e6;
      late += over;
      if (over > worst) worst = over;
    }
    char bytes[4096];
    for (int taken = 0; ends[1].revents && taken < 64; taken++) {
      int length = read(hub, bytes, FRAME);
      if (length <= 0) break;
      if (write(machine, bytes, length) < 0) { /* the same */ }
    }
    if (!ends[2].revents) continue;
    if (read(0, bytes, sizeof bytes) <= 0) return 0;
    double mean = late / (seen - lost > 0 ? seen - lost : 1);
    printf("{\\"seen\\":%ld,\\"lost\\":%ld,\\"lateMs\\":%f,\\"worstLateMs\\":%f}\\n", seen, lost, mean, worst);
    fflush(stdout);
  }
}
`

/** The compiled program, made when it is first needed and gone with this process. */
let program: string | null = null

function compiled(): string {
  if (program !== null) return program
  const folder = mkdtempSync(join(tmpdir(), 'gittorrent-relay-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'relay')
  execFileSync('cc', ['-O2', '-x', 'c', '-o', path, '-'], { input: PROGRAM, stdio: ['pipe', 'ignore', 'inherit'] })
  program = path
  return path
}

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
    compiled()
    return null
  } catch {
    return 'delay needs a C compiler'
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
    const args = [...ends, ...[delayMs, lossPercent, seed].map(String)]
    const child = spawn(compiled(), args, { stdio: ['pipe', 'pipe', 'inherit'] })
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
