/**
 * Asks the user for a passphrase as git asks for passwords (gitcredentials, "Requesting credentials"): the program in GIT_ASKPASS,
 * core.askPass or SSH_ASKPASS, else the terminal itself, without echo, unless GIT_TERMINAL_PROMPT=0. The terminal is /dev/tty,
 * because stdin of a remote helper is git. Raw mode shows nothing and leaves Ctrl-C to us.
 */
import { execFile } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'
import { ReadStream } from 'node:tty'
import type { Environment } from '../config.ts'
import { HelperError } from '../errors.ts'
import { PASSPHRASE_LENGTH_MAX, PASSPHRASE_TIMEOUT_MS } from './limits.ts'

/** Asks with a prompt; null where nobody can be asked. */
export type AskPassphrase = (prompt: string) => Promise<string | null>

const ENTER = [0x0a, 0x0d]
const END_OF_TEXT = 0x03
const END_OF_TRANSMISSION = 0x04
const ERASE = [0x08, 0x7f]
const KILL_LINE = 0x15

/** How this user is asked. @param coreAskPass git's core.askPass, null if it is not set */
export function passphraseAsker(env: Environment, coreAskPass: string | null): AskPassphrase {
  const program = [env.GIT_ASKPASS, coreAskPass, env.SSH_ASKPASS].find((value) => value != null && value !== '')
  return async (prompt) => {
    const answer = program == null ? null : await askProgram(program, prompt, env)
    if (answer !== null) return answer
    return env.GIT_TERMINAL_PROMPT === '0' ? null : askTerminal(prompt)
  }
}

/** The first line that the program prints; null if it fails, as git goes on to the terminal then. */
function askProgram(program: string, prompt: string, env: Environment): Promise<string | null> {
  const options = { env: { ...env }, encoding: 'utf8' as const, timeout: PASSPHRASE_TIMEOUT_MS }
  return new Promise((resolve) => {
    execFile(program, [prompt], options, (error, stdout) => {
      resolve(error === null ? (stdout.split(/\r?\n/, 1)[0] ?? '') : null)
    })
  })
}

/** Null without a terminal. @throws HelperError 'interrupted' on Ctrl-C */
async function askTerminal(prompt: string): Promise<string | null> {
  let descriptor: number
  try {
    descriptor = openSync('/dev/tty', 'r+')
  } catch {
    return null
  }
  const terminal = new ReadStream(descriptor)
  try {
    // Before the prompt: what is typed at once must not show either.
    terminal.setRawMode(true)
    writeSync(descriptor, prompt)
    return await readLine(terminal)
  } finally {
    terminal.setRawMode(false)
    writeSync(descriptor, '\n')
    terminal.destroy()
    closeQuietly(descriptor)
  }
}

function readLine(terminal: ReadStream): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const typed: number[] = []
    const timer = setTimeout(() => resolve(null), PASSPHRASE_TIMEOUT_MS)
    const settle = (act: () => void): void => {
      clearTimeout(timer)
      terminal.pause()
      act()
    }
    terminal.on('error', () => settle(() => resolve(null)))
    terminal.on('data', (bytes: Uint8Array) => {
      for (const byte of bytes) {
        if (ENTER.includes(byte)) return settle(() => resolve(Buffer.from(typed).toString('utf8')))
        if (byte === END_OF_TEXT)
          return settle(() => reject(new HelperError('interrupted', 'passphrase: expected one, got Ctrl-C')))
        if (byte === END_OF_TRANSMISSION && typed.length === 0) return settle(() => resolve(null))
        if (byte === KILL_LINE) typed.length = 0
        else if (ERASE.includes(byte)) eraseCharacter(typed)
        else if (typed.length < PASSPHRASE_LENGTH_MAX) typed.push(byte)
      }
    })
  })
}

/** One character may have several bytes of UTF-8; those after the first begin with the bits 10. */
function eraseCharacter(typed: number[]): void {
  while (((typed.pop() ?? 0) & 0xc0) === 0x80);
}

/** The stream may have closed it already. */
function closeQuietly(descriptor: number): void {
  try {
    closeSync(descriptor)
  } catch {
    // It was.
  }
}
