/**
 * The verbs for origins behind a two-way stream: `capabilities`, `option`, `connect`. With `connect` git does the rest
 * itself. `option servpath` carries --upload-pack and --receive-pack; git keeps all other options to itself here.
 */
import { HelperError, printable } from '../errors.ts'
import { connectService } from './connect.ts'
import { GO_ON, over, type Verb } from './dialogue.ts'
import type { Service } from './origin-stream.ts'

const SERVICES: ReadonlyMap<string, Service> = new Map<string, Service>([
  ['git-upload-pack', 'git-upload-pack'],
  ['git-receive-pack', 'git-receive-pack'],
  ['git-upload-archive', 'git-upload-archive'],
])

/** Returns the verbs of one run. */
export function streamVerbs(): ReadonlyMap<string, Verb> {
  let servpath: string | null = null
  const capabilities: Verb = async (_, session) => {
    await session.clientWriter.write('connect\noption\n\n')
    return GO_ON
  }
  const option: Verb = async (line, session) => {
    const match = /^option servpath (.*)$/.exec(line)
    if (match) servpath = unquoted(match[1] ?? '')
    session.supply.noteOption(line)
    const isKnown = match !== null || /^option (verbosity|progress) /.test(line)
    await session.clientWriter.write(isKnown ? 'ok\n' : 'unsupported\n')
    return GO_ON
  }
  const connect: Verb = async (line, session) => {
    const name = line.slice('connect '.length)
    const service = SERVICES.get(name)
    if (!service) throw new HelperError('client-protocol', `cannot connect: unknown service '${printable(name)}'`)
    return over(await connectService(session, service, servpath))
  }
  return new Map([
    ['capabilities', capabilities],
    ['option', option],
    ['connect', connect],
  ])
}

/** git quotes option values as C strings when they hold anything unusual. */
function unquoted(value: string): string {
  const match = /^"(.*)"$/s.exec(value)
  return match ? (match[1] ?? '').replace(/\\(["\\])/g, '$1') : value
}
