/**
 * The verbs for a bundle file as origin (`git clone gittorrent::/path/x.bundle`): git's own `bundle` commands list its refs
 * and unpack it, as they do behind git's plain URL. There is nothing to negotiate or to ask the swarm for; a push fails, as
 * there.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { GO_ON, over, readBatch, type Verb } from './dialogue.ts'
import { openProcess } from './origin-stream.ts'
import type { Session } from './session.ts'

const FAILED = 128
const SIGNATURE = /^# v[23] git bundle\n/

/** True if `path` is a file that begins as a bundle does (gitformat-bundle). */
export async function isBundleFile(path: string): Promise<boolean> {
  const file = await open(path).catch(() => null)
  if (file === null) return false
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(16), 0, 16, 0)
    return SIGNATURE.test(buffer.toString('latin1', 0, bytesRead))
  } catch {
    return false
  } finally {
    await file.close()
  }
}

/** Returns the verbs of one run on the bundle at `path`. */
export function bundleVerbs(path: string): ReadonlyMap<string, Verb> {
  const capabilities: Verb = async (_, { clientWriter }) => {
    await clientWriter.write('fetch\noption\n\n')
    return GO_ON
  }
  const option: Verb = async (line, { clientWriter, supply }) => {
    supply.noteOption(line)
    await clientWriter.write(/^option (verbosity|progress|object-format) /.test(line) ? 'ok\n' : 'unsupported\n')
    return GO_ON
  }
  const list: Verb = async (_, session) => {
    const refs = await headsOf(path, session)
    if (refs === null) return over(FAILED)
    const isWide = refs[0]?.indexOf(' ') === 64
    const format = isWide ? [':object-format sha256'] : []
    await session.clientWriter.write(`${[...format, ...refs, ''].join('\n')}\n`)
    return GO_ON
  }
  const fetch: Verb = async (_, session) => {
    if ((await readBatch(session.clientReader)) === null) return over(FAILED)
    const child = spawn('git', ['bundle', 'unbundle', path], {
      env: { ...session.env },
      stdio: ['ignore', 'ignore', 'inherit'],
      signal: session.signal,
    })
    const [status] = await once(child, 'close')
    if (status !== 0) return over(FAILED)
    await session.clientWriter.write('\n')
    return GO_ON
  }
  return new Map([
    ['capabilities', capabilities],
    ['option', option],
    ['list', list],
    ['fetch', fetch],
  ])
}

/** `<oid> <ref>` of each ref, last one first, as git lists a bundle; null when git has said why not. */
async function headsOf(path: string, session: Session): Promise<readonly string[] | null> {
  const command = { file: 'git', args: ['bundle', 'list-heads', path], env: session.env }
  const stream = await openProcess(command, session)
  const refs: string[] = []
  for (;;) {
    const line = await stream.reader.line(65_536)
    if (line === null) break
    refs.push(line)
  }
  return (await stream.close()) === 0 ? refs.reverse() : null
}
