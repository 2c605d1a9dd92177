/**
 * `connect <service>` for origins behind a two-way stream (file, ssh, git://): git then speaks to the far end as if it
 * had opened the connection itself, so push, archive, depth, filter, protocol v0 and v1 need nothing of ours.
 * An upload-pack that answers in protocol v2 goes through the relay; everything else is copied both ways.
 * The verb is accepted only when the far end has spoken: what is wrong is then said once, by whoever knows.
 */
import { HelperError } from '../errors.ts'
import { withoutPassword } from '../trace.ts'
import { openGitSocket, wantedVersion } from './git-socket.ts'
import {
  type OriginStream,
  openProcess,
  type Service,
  serverEnvironment,
  shellCommand,
  shellQuoted,
} from './origin-stream.ts'
import { type Packet, readPacket, textOf } from './pkt-line.ts'
import { relayProtocolV2 } from './relay.ts'
import type { Session } from './session.ts'
import { sshCommand } from './ssh-command.ts'

/** What the user said about the connection. */
export interface Wishes {
  /** What --upload-pack and the like named; null for the usual. */
  readonly exec: string | null
  /** 4 and 6 for --ipv4 and --ipv6, 0 for any. */
  readonly family: 0 | 4 | 6
  /** -v: git tells of a connection to git:// how far it is. */
  readonly isVerbose: boolean
}

export const NO_WISHES: Wishes = { exec: null, family: 0, isVerbose: false }

/** Serves `connect <service>` to its end; returns the exit status. */
export async function connectService(session: Session, service: Service, wishes: Wishes): Promise<number> {
  const opening = openService(session, service, wishes)
  if (service === 'git-upload-pack') void session.supply.prepare()
  const origin = await opening
  // Plain git has one connection, and tells of that one.
  const reopen = () => openService(session, service, { ...wishes, isVerbose: false })
  const first = service === 'git-upload-archive' ? null : await readPacket(origin.reader)
  if (first === null && service !== 'git-upload-archive') return explainSilence(session, await origin.close())
  await session.clientWriter.write('\n')
  if (service === 'git-upload-pack' && first !== null && textOf(first) === 'version 2') {
    return relayProtocolV2(session, origin, { isStateless: false, first, reopen })
  }
  return copyBothWays(session, origin, first)
}

async function openService(session: Session, service: Service, wishes: Wishes): Promise<OriginStream> {
  const { exec, family, isVerbose } = wishes
  const { origin, config, env, printText } = session
  const version = wantedVersion(config, service)
  if (origin.scheme === 'git') {
    const say = isVerbose ? printText : () => {}
    return openGitSocket(origin, service, version, config, { ...session, family, say })
  }
  if (origin.scheme === 'ssh') {
    return openProcess(await sshCommand(origin, exec ?? service, { version, family }, config, session), session)
  }
  const serverEnv = serverEnvironment(env, version)
  const command =
    exec === null
      ? { file: 'git', args: [service.slice('git-'.length), origin.path], env: serverEnv }
      : shellCommand(`${exec} ${shellQuoted(origin.path)}`, [], serverEnv)
  return openProcess(command, session)
}

/** What git says behind the words of a program that failed; other programs look for it. */
const UNREADABLE = `fatal: Could not read from remote repository.

Please make sure you have the correct access rights
and the repository exists.
`

/** A process that failed has said why on stderr; one that ended quietly has not. */
function explainSilence(session: Session, status: number): number {
  if (status !== 0) {
    session.printText(UNREADABLE)
    return 128
  }
  const url = withoutPassword(session.origin.url)
  throw new HelperError(
    'origin-unreachable',
    `cannot read from the origin ${url}: expected a greeting, got the end of the connection, try plain git and your access rights`,
  )
}

/** Copies until the origin has ended its direction; git notices that, whatever it still wanted to say. */
export async function copyBothWays(session: Session, origin: OriginStream, first: Packet | null): Promise<number> {
  const { clientReader, clientWriter } = session
  if (first !== null) await clientWriter.write(first.raw)
  const upstream = (async () => {
    for (let bytes = await clientReader.next(); bytes !== null; bytes = await clientReader.next()) {
      await origin.writer.write(bytes)
    }
    await origin.writer.end()
  })()
  upstream.catch((error: unknown) => session.trace(() => `towards the origin: ${String(error)}`))
  for (let bytes = await origin.reader.next(); bytes !== null; bytes = await origin.reader.next()) {
    await clientWriter.write(bytes)
  }
  await clientWriter.end()
  return origin.close()
}
