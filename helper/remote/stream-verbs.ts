/**
 * The verbs for origins behind a two-way stream: `capabilities`, `option`, `connect`. With `connect` git does the rest
 * itself. `option servpath` carries --upload-pack and --receive-pack, `option family` -4 and -6; git keeps all other
 * options to itself here.
 */
import { HelperError, printable } from '../errors.ts'
import { connectService, NO_WISHES } from './connect.ts'
import { GO_ON, over, type Verb } from './dialogue.ts'
import type { Service } from './origin-stream.ts'

const SERVICES: ReadonlyMap<string, Service> = new Map<string, Service>([
  ['git-upload-pack', 'git-upload-pack'],
  ['git-receive-pack', 'git-receive-pack'],
  ['git-upload-archive', 'git-upload-archive'],
])

/** Returns the verbs of one run. */
export function streamVerbs(): ReadonlyMap<string, Verb> {
  let wishes = NO_WISHES
  const capabilities: Verb = async (_, session) => {
    await session.clientWriter.write('connect\noption\n\n')
    return GO_ON
  }
  const option: Verb = async (line, session) => {
    const exec = /^option servpath (.*)$/.exec(line)?.[1]
    const family = /^option family (all|ipv4|ipv6)$/.exec(line)?.[1]
    if (exec !== undefined) wishes = { ...wishes, exec: unquoted(exec) }
    if (family !== undefined) wishes = { ...wishes, family: family === 'ipv4' ? 4 : family === 'ipv6' ? 6 : 0 }
    const verbosity = /^option verbosity (\d+)$/.exec(line)?.[1]
    if (verbosity !== undefined) wishes = { ...wishes, isVerbose: Number(verbosity) > 1 }
    session.supply.noteOption(line)
    const isKnown = exec !== undefined || family !== undefined || /^option (verbosity|progress) /.test(line)
    await session.clientWriter.write(isKnown ? 'ok\n' : 'unsupported\n')
    return GO_ON
  }
  const connect: Verb = async (line, session) => {
    const name = line.slice('connect '.length)
    const service = SERVICES.get(name)
    if (!service) throw new HelperError('client-protocol', `cannot connect: unknown service '${printable(name)}'`)
    return over(await connectService(session, service, wishes))
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
