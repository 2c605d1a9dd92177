/**
 * Talks to a running daemon: one request, one answer. Connects only to a socket that this user alone can have made, so
 * that nobody else is told which repositories are here.
 */
import { connect } from 'node:net'
import { HelperError } from '../errors.ts'
import { CONTROL_ANSWER_LENGTH_MAX, CONTROL_TIMEOUT_MS } from '../limits.ts'
import { type DaemonHome, isOwnSocket } from './home.ts'

/**
 * Asks the daemon of `home`.
 * @throws HelperError 'daemon-absent' when none answers, 'daemon-refused' with its own words
 */
export async function askDaemon(
  home: DaemonHome,
  request: Readonly<Record<string, unknown>>,
  timeoutMs = CONTROL_TIMEOUT_MS,
): Promise<unknown> {
  if (!(await isOwnSocket(home))) throw absent(home)
  const line = await exchange(home, `${JSON.stringify(request)}\n`, timeoutMs)
  const answer = Object(JSON.parse(line))
  if (answer.ok === true) return answer.result
  throw new HelperError('daemon-refused', String(answer.error))
}

function exchange(home: DaemonHome, text: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(home.socket)
    const parts: Uint8Array[] = []
    let length = 0
    const timer = setTimeout(() => socket.destroy(), timeoutMs)
    socket.on('error', () => {})
    socket.on('data', (chunk: Uint8Array) => {
      parts.push(chunk)
      length += chunk.length
      if (length > CONTROL_ANSWER_LENGTH_MAX) socket.destroy()
    })
    socket.on('close', () => {
      clearTimeout(timer)
      const answer = Buffer.concat(parts).toString('utf8')
      if (answer.endsWith('\n')) resolve(answer)
      else reject(absent(home))
    })
    socket.end(text)
  })
}

function absent({ socket }: DaemonHome): HelperError {
  return new HelperError('daemon-absent', `expected a daemon on '${socket}', got no answer, try \`gittorrent daemon\``)
}
