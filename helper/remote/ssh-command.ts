/**
 * The ssh command line that git would use: GIT_SSH_COMMAND, core.sshCommand, GIT_SSH, `ssh`, in this order, in the
 * dialect of GIT_SSH_VARIANT, ssh.variant, the program's name, or what `-G` tells (git-config, "ssh.variant").
 */
import { spawn } from 'node:child_process'
import { configValue, type GitConfig } from '../config.ts'
import { HelperError } from '../errors.ts'
import { GIT_COMMAND_TIMEOUT_MS } from '../limits.ts'
import type { Origin } from '../url.ts'
import { type Command, type Surroundings, serverEnvironment, shellCommand, shellQuoted } from './origin-stream.ts'

type Variant = 'ssh' | 'plink' | 'putty' | 'tortoiseplink' | 'simple'

/** The program, and whether it is a shell line (GIT_SSH_COMMAND) or a file name (GIT_SSH). */
interface Program {
  readonly text: string
  readonly isShellLine: boolean
}

/** What of the connection ssh is told. */
export interface SshWishes {
  readonly version: 0 | 1 | 2
  /** 4 and 6 for -4 and -6, 0 for any. */
  readonly family: 0 | 4 | 6
}

/** Returns the command that runs `remoteExec 'path'` on the origin's host. Throws origin-unreachable (simple, port). */
export async function sshCommand(
  origin: Origin,
  remoteExec: string,
  wishes: SshWishes,
  config: GitConfig,
  around: Surroundings,
): Promise<Command> {
  const program = programOf(config, around)
  const env = serverEnvironment(around.env, wishes.version)
  const target = origin.user === null ? origin.host : `${origin.user}@${origin.host}`
  const variant =
    explicitVariant(config, around) ?? guessVariant(program) ?? (await probe(program, target, env, around))
  const options = optionsOf(variant, origin.port, wishes)
  return build(program, [...options, target, `${remoteExec} ${shellQuoted(origin.path)}`], env)
}

function programOf(config: GitConfig, around: Surroundings): Program {
  const line = around.env.GIT_SSH_COMMAND ?? configValue(config, 'core.sshcommand')
  if (line !== null) return { text: line, isShellLine: true }
  return { text: around.env.GIT_SSH ?? 'ssh', isShellLine: false }
}

function build(program: Program, args: readonly string[], env: Command['env']): Command {
  return program.isShellLine ? shellCommand(program.text, args, env) : { file: program.text, args, env }
}

function explicitVariant(config: GitConfig, around: Surroundings): Variant | null {
  const value = around.env.GIT_SSH_VARIANT ?? configValue(config, 'ssh.variant')
  if (value === null || value === 'auto') return null
  if (value === 'plink' || value === 'putty' || value === 'tortoiseplink' || value === 'simple') return value
  return 'ssh'
}

function guessVariant(program: Program): Variant | null {
  const first = program.isShellLine ? (/^\s*(?:"([^"]*)"|'([^']*)'|(\S+))/.exec(program.text)?.slice(1) ?? []) : []
  const file = program.isShellLine ? (first.find((word) => word !== undefined) ?? '') : program.text
  const name = file.replace(/^.*[\\/]/, '').toLowerCase()
  if (name === 'ssh' || name === 'ssh.exe') return 'ssh'
  if (name === 'plink' || name === 'plink.exe') return 'plink'
  if (name === 'tortoiseplink' || name === 'tortoiseplink.exe') return 'tortoiseplink'
  return null
}

/** OpenSSH answers `-G host` with its configuration and status 0; what does not is taken for a simple wrapper. */
function probe(program: Program, target: string, env: Command['env'], around: Surroundings): Promise<Variant> {
  const command = build(program, ['-G', '-o', 'SendEnv=GIT_PROTOCOL', target], env)
  return new Promise((resolve) => {
    const child = spawn(command.file, command.args, {
      env: { ...command.env },
      stdio: 'ignore',
      timeout: GIT_COMMAND_TIMEOUT_MS,
      signal: around.signal,
    })
    child.once('error', () => resolve('simple'))
    child.once('exit', (code) => resolve(code === 0 ? 'ssh' : 'simple'))
  })
}

function optionsOf(variant: Variant, port: number | null, { version, family }: SshWishes): string[] {
  if (variant === 'simple' && (family !== 0 || port !== null)) {
    const what = family === 0 ? 'a port' : `IPv${family}`
    const message = `cannot set ${what}: ssh variant 'simple' has no option for it, try ssh.variant=ssh`
    throw new HelperError('origin-unreachable', message)
  }
  return [
    ...(variant === 'ssh' && version > 0 ? ['-o', 'SendEnv=GIT_PROTOCOL'] : []),
    ...(family === 0 ? [] : [`-${family}`]),
    ...(variant === 'tortoiseplink' ? ['-batch'] : []),
    ...(port === null ? [] : [variant === 'ssh' ? '-p' : '-P', String(port)]),
  ]
}
