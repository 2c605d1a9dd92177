/**
 * A two-way stream to a service of the origin, whatever carries it: a process (file, ssh, core.gitProxy, an inner
 * remote helper) or a TCP connection (git://). Diagnostics of a process go straight to stderr, as with plain git.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import type { Environment } from '../config.ts'
import { HelperError } from '../errors.ts'
import { ORIGIN_EXIT_TIMEOUT_MS } from '../limits.ts'
import type { Trace } from '../trace.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'

export type Service = 'git-upload-pack' | 'git-receive-pack' | 'git-upload-archive'

export interface OriginStream {
  readonly reader: ByteReader
  readonly writer: ByteWriter
  /** Closes our direction, waits for the other to end, and returns its exit status (0 for a socket). Idempotent. */
  close(): Promise<number>
  /** Ends it at once, whatever it still says. */
  abandon(): void
}

export interface Command {
  readonly file: string
  readonly args: readonly string[]
  readonly env: Environment
}

/** What of the surroundings every transport needs. */
export interface Surroundings {
  readonly env: Environment
  readonly trace: Trace
  readonly signal: AbortSignal
}

/** Variables that describe the client's own repository (`git rev-parse --local-env-vars`); no server may see them. */
const LOCAL_VARIABLES = new Set(
  (
    'GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_CONFIG GIT_CONFIG_PARAMETERS GIT_CONFIG_COUNT GIT_OBJECT_DIRECTORY GIT_DIR ' +
    'GIT_WORK_TREE GIT_IMPLICIT_WORK_TREE GIT_GRAFT_FILE GIT_INDEX_FILE GIT_NO_REPLACE_OBJECTS GIT_REPLACE_REF_BASE ' +
    'GIT_PREFIX GIT_SHALLOW_FILE GIT_COMMON_DIR GIT_INTERNAL_SUPER_PREFIX GIT_PROTOCOL'
  ).split(' '),
)

/** Returns `env` as git hands it to the far end of a connection; `version` 0 asks for no protocol. */
export function serverEnvironment(env: Environment, version: 0 | 1 | 2): Environment {
  const kept = Object.fromEntries(Object.entries(env).filter(([name]) => !LOCAL_VARIABLES.has(name)))
  return version === 0 ? kept : { ...kept, GIT_PROTOCOL: `version=${version}` }
}

/** Puts a command line that the user wrote into a shell, with `args` behind it, as git does. */
export function shellCommand(line: string, args: readonly string[], env: Environment): Command {
  return args.length === 0
    ? { file: 'sh', args: ['-c', line], env }
    : { file: 'sh', args: ['-c', `${line} "$@"`, line, ...args], env }
}

/** Quotes one word for a POSIX shell, as git does for the far end of ssh. */
export function shellQuoted(word: string): string {
  return `'${word.replace(/['!]/g, (c) => `'\\${c}'`)}'`
}

/** Starts `command` and returns its stdin and stdout as a stream. Throws origin-unreachable when it cannot start. */
export async function openProcess(command: Command, around: Surroundings): Promise<OriginStream> {
  around.trace(() => `run ${command.file} ${command.args.join(' ')}`)
  const child = spawn(command.file, command.args, {
    env: { ...command.env },
    stdio: ['pipe', 'pipe', 'inherit'],
    signal: around.signal,
  })
  await started(child, command)
  return new ProcessStream(child)
}

function started(child: ChildProcessByStdio<Writable, Readable, null>, command: Command): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve)
    child.on('error', (error) => {
      const message = `cannot run ${command.file}: ${error.message}, try to install it or to name it in the configuration`
      reject(new HelperError('origin-unreachable', message, {}, error))
    })
  })
}

class ProcessStream implements OriginStream {
  readonly reader: ByteReader
  readonly writer: ByteWriter
  private readonly exit: Promise<number>
  private readonly child: ChildProcessByStdio<Writable, Readable, null>

  constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.child = child
    this.reader = new ByteReader(child.stdout)
    this.writer = new ByteWriter(child.stdin)
    this.exit = new Promise((resolve) => {
      child.once('exit', (code) => resolve(code ?? 128))
    })
  }

  abandon(): void {
    this.child.stdin.destroy()
    this.child.stdout.destroy()
    this.child.kill()
  }

  /** What the process still says is thrown away: with a closed pipe it would end in SIGPIPE and a false status. */
  async close(): Promise<number> {
    this.child.stdin.end()
    const timer = setTimeout(() => this.child.kill('SIGKILL'), ORIGIN_EXIT_TIMEOUT_MS)
    try {
      while ((await this.reader.next()) !== null);
      return await this.exit
    } catch {
      return await this.exit
    } finally {
      clearTimeout(timer)
    }
  }
}
