/**
 * The git process that talks to us. git runs `git remote-gittorrent`, which runs git-remote-gittorrent: our parent then
 * ends with us, and the client is the parent of that one. Best effort: where neither /proc nor ps tells, the parent.
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { GIT_COMMAND_TIMEOUT_MS } from '../limits.ts'

/** Returns the process id of the git command that fetches. */
export async function clientProcess(): Promise<number> {
  const parent = process.ppid
  const { line, parentOf } = (await fromProc(parent)) ?? (await fromPs(parent)) ?? { line: '', parentOf: parent }
  return line.includes('remote-gittorrent') && parentOf > 1 ? parentOf : parent
}

/** Tells whether a process exists, also one of somebody else. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

async function fromProc(pid: number): Promise<{ line: string; parentOf: number } | null> {
  try {
    const [line, status] = await Promise.all([
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
      readFile(`/proc/${pid}/status`, 'utf8'),
    ])
    return { line, parentOf: Number(/^PPid:\s*(\d+)/m.exec(status)?.[1] ?? 0) }
  } catch {
    return null
  }
}

function fromPs(pid: number): Promise<{ line: string; parentOf: number } | null> {
  return new Promise((resolve) => {
    const args = ['-o', 'ppid=', '-o', 'args=', '-p', String(pid)]
    execFile('ps', args, { timeout: GIT_COMMAND_TIMEOUT_MS, encoding: 'utf8' }, (error, stdout) => {
      const match = /^\s*(\d+)\s+(.*)$/m.exec(stdout ?? '')
      resolve(error || !match ? null : { line: match[2] ?? '', parentOf: Number(match[1]) })
    })
  })
}
