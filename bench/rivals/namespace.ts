/**
 * The network namespace that bench:rivals runs in: nothing but a loopback with two more addresses, so that no traffic can leave,
 * and what passes can be counted. It vanishes with its last process.
 */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Addresses outside 127.0.0.0/8, which Transmission refuses; and it talks to nobody who has its own. */
export const HOSTS = { seed: '10.83.0.1', leech: '10.83.0.2' } as const

/** Brings the loopback of the namespace up; false if the addresses cannot be set. */
export function setUpNamespace(): boolean {
  const steps = [
    ['link', 'set', 'lo', 'up'],
    ...Object.values(HOSTS).map((host) => ['addr', 'add', `${host}/32`, 'dev', 'lo']),
  ]
  return steps.every((words) => spawnSync('ip', words).status === 0)
}

/** Bytes that the loopback of our own namespace has carried, with headers; null elsewhere. */
export function sentOnLoopback(): number | null {
  const lines = readFileSync('/proc/self/net/dev', 'latin1').split('\n').slice(2)
  const names = lines.filter((line) => line.includes(':')).map((line) => line.split(':')[0]?.trim())
  if (names.length !== 1) return null
  const [line = ''] = lines
  return Number(line.split(':')[1]?.trim().split(/\s+/)[0] ?? 0)
}
