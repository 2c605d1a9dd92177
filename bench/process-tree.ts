/**
 * Ends what a bench has started, and what that has started, by the kernel's own list of children: for a bench that is
 * interrupted, and whose programs start programs. Linux only.
 */

import { readdirSync, readFileSync } from 'node:fs'

/** Processes below one, however deep; itself excluded. */
function descendantsOf(pid: number): number[] {
  const children = tasksOf(pid).flatMap((task) => {
    try {
      return readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
    } catch {
      return []
    }
  })
  return children.flatMap((child) => [child, ...descendantsOf(child)])
}

function tasksOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

/** Kills all processes below this one. */
export function killDescendants(): void {
  for (const pid of descendantsOf(process.pid)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended meanwhile.
    }
  }
}
