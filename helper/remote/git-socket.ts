/**
 * git:// (gitprotocol-pack, "Git Transport"): a TCP connection to git-daemon, or the command of core.gitProxy, and one
 * packet that names service, path, host and protocol version.
 */
import { connect, isIP, type Socket } from 'node:net'
import { configValue, type GitConfig } from '../config.ts'
import { HelperError } from '../errors.ts'
import { ORIGIN_CONNECT_TIMEOUT_MS } from '../limits.ts'
import type { Origin } from '../url.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { type OriginStream, openProcess, type Service, type Surroundings, serverEnvironment } from './origin-stream.ts'
import { encodePacket } from './pkt-line.ts'

const GIT_PORT = 9418

interface SocketSurroundings extends Surroundings {
  readonly family: 0 | 4 | 6
  /** Takes what git says under -v on the way to a connection. */
  readonly say: (text: string) => void
}

/** Connects to a git:// origin and asks for `service`. Throws origin-unreachable. */
export async function openGitSocket(
  origin: Origin,
  service: Service,
  version: 0 | 1 | 2,
  config: GitConfig,
  around: SocketSurroundings,
): Promise<OriginStream> {
  const port = origin.port ?? GIT_PORT
  const proxy = proxyFor(origin.host, config, around.env.GIT_PROXY_COMMAND)
  const env = serverEnvironment(around.env, 0)
  const stream =
    proxy === null
      ? await openSocket(origin.host, port, around)
      : await openProcess({ file: proxy, args: [origin.host, String(port)], env }, around)
  const bracketed = origin.host.includes(':') ? `[${origin.host}]` : origin.host
  const written = origin.port === null ? bracketed : `${bracketed}:${origin.port}`
  const virtualHost = around.env.GIT_OVERRIDE_VIRTUAL_HOST ?? written
  const parameters = version === 0 ? '' : `\0version=${version}\0`
  await stream.writer.write(encodePacket(`${service} ${origin.path}\0host=${virtualHost}\0${parameters}`))
  return stream
}

/** git's rule: GIT_PROXY_COMMAND, else the first core.gitProxy whose `for <domain>` fits; `none` is no proxy. */
export function proxyFor(host: string, config: GitConfig, fromEnv: string | undefined): string | null {
  if (fromEnv !== undefined) return fromEnv === '' ? null : fromEnv
  for (const value of config.get('core.gitproxy') ?? []) {
    const match = /^(.*?)(?: for (\S+))?$/s.exec(value)
    const [command = '', domain] = match?.slice(1) ?? []
    const fits = domain === undefined || host === domain || host.endsWith(`.${domain}`)
    if (fits) return command === 'none' || command === '' ? null : command
  }
  return null
}

/** The protocol version that git would ask for: protocol.version, 2 by default, never 2 for a push. */
export function wantedVersion(config: GitConfig, service: Service): 0 | 1 | 2 {
  const value = configValue(config, 'protocol.version')
  if (value === '0') return 0
  if (value === '1') return 1
  return service === 'git-upload-pack' ? 2 : 0
}

async function openSocket(host: string, port: number, around: SocketSurroundings): Promise<OriginStream> {
  const { say } = around
  around.trace(() => `connect ${host} port ${port}`)
  say(`Looking up ${host} ... `)
  const socket = connect({
    host,
    port,
    family: around.family,
    noDelay: true,
    keepAlive: true,
    allowHalfOpen: true,
    signal: around.signal,
  })
  const sayFound = (): void => say(`done.\nConnecting to ${host} (port ${port}) ... `)
  // An address is not looked up.
  if (isIP(host) !== 0) sayFound()
  else socket.once('lookup', (error: Error | null) => error === null && sayFound())
  socket.setTimeout(ORIGIN_CONNECT_TIMEOUT_MS, () => socket.destroy(new Error('no answer in time')))
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const reason = error.code ?? error.message
      const message = `cannot reach the origin: no connection to ${host} port ${port} (${reason}), try the URL with plain git`
      reject(new HelperError('origin-unreachable', message, {}, error))
    })
  })
  say(`${socket.remoteAddress ?? ''} done.\n`)
  socket.setTimeout(0)
  return {
    reader: new ByteReader(untilReset(socket)),
    writer: new ByteWriter(socket),
    close: () => closeSocket(socket),
    abandon: () => void socket.destroy(),
  }
}

/** What comes over a socket. git-daemon resets the connection when it has refused and did not read all: that is an end like any other. */
async function* untilReset(socket: Socket): AsyncGenerator<unknown> {
  try {
    yield* socket
  } catch (error) {
    if (Object(error).code !== 'ECONNRESET') throw error
  }
}

async function closeSocket(socket: Socket): Promise<number> {
  socket.destroySoon()
  return 0
}
