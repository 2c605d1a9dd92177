/**
 * gittorrent://<key>/<repository> as git sees it: `connect` to a service of the isolated repository of that publication.
 * Before upload-pack, it is brought to what the publisher signed; git then negotiates with it locally, so depth, filters and
 * everything else work as with any repository. Before receive-pack, the key must be ours, or ours a delegate's.
 */
import { resolve } from 'node:path'
import { type Net, openNet } from '../../net/index.ts'
import { configValue } from '../config.ts'
import { handOverPublication } from '../daemon/hand-over.ts'
import { HelperError, printable } from '../errors.ts'
import { passphraseAsker } from '../keys/ask-passphrase.ts'
import { KeyStore, keyId, type OwnKey } from '../keys/key-store.ts'
import { countOf, humanBytes, openProgress, SILENT } from '../progress.ts'
import { connectService, NO_WISHES } from '../remote/connect.ts'
import { GO_ON, over, type Verb } from '../remote/dialogue.ts'
import type { Session } from '../remote/session.ts'
import type { Supply } from '../remote/supply.ts'
import { SupplySession } from '../remote/supply-session.ts'
import { passing, passingListen, publicNetOptions } from '../share/ways-in.ts'
import { HOLDS_NOTHING, heldRefs } from '../trust/held-refs.ts'
import { requireSigned, signedRule } from '../trust/require-signed.ts'
import type { Origin } from '../url.ts'
import { linkSupply } from './link-supply.ts'
import { repositoryName } from './names.ts'
import { PublisherFolder } from './publisher-folder.ts'
import { type Publication, readPublication } from './reader.ts'
import type { Delegate } from './record.ts'
import { type PushTarget, servePush } from './serve-push.ts'
import { type SyncOutcome, syncPublication } from './sync.ts'

export interface PublishedAddress {
  /** 40 or 64 hexadecimal digits. */
  readonly key: string
  readonly repository: string
}

export interface PublicationPorts {
  readonly printText: (text: string) => void
  /** Looks the address up when it is needed: a name takes its time. */
  readonly resolve: () => Promise<PublishedAddress>
}

/** The verbs of one run. */
export function publicationVerbs(ports: PublicationPorts): ReadonlyMap<string, Verb> {
  let isQuiet = false
  let showsProgress = false
  const capabilities: Verb = async (_, { clientWriter }) => {
    await clientWriter.write('connect\noption\n\n')
    return GO_ON
  }
  const option: Verb = async (line, { clientWriter }) => {
    if (line.startsWith('option verbosity ')) isQuiet = Number(line.slice('option verbosity '.length)) < 1
    if (line.startsWith('option progress ')) showsProgress = line === 'option progress true'
    await clientWriter.write(/^option (verbosity|progress) /.test(line) ? 'ok\n' : 'unsupported\n')
    return GO_ON
  }
  const connect: Verb = async (line, session) => {
    const service = line.slice('connect '.length)
    const run = new Run(session, ports, isQuiet, showsProgress && !isQuiet)
    if (service === 'git-receive-pack') return over(await run.push())
    if (service === 'git-upload-pack' || service === 'git-upload-archive') return over(await run.fetch(service))
    throw new HelperError('client-protocol', `cannot connect: unknown service '${printable(service)}'`)
  }
  return new Map([
    ['capabilities', capabilities],
    ['option', option],
    ['connect', connect],
  ])
}

class Run {
  readonly #session: Session
  readonly #ports: PublicationPorts
  readonly #isQuiet: boolean
  readonly #showsProgress: boolean

  constructor(session: Session, ports: PublicationPorts, isQuiet: boolean, showsProgress: boolean) {
    this.#session = session
    this.#ports = ports
    this.#isQuiet = isQuiet
    this.#showsProgress = showsProgress
  }

  /** Synchronises, lets the network go, and serves git from disk. */
  async fetch(service: 'git-upload-pack' | 'git-upload-archive'): Promise<number> {
    const path = await this.#withNet(async (net) => {
      const address = await this.#address()
      return (await this.#sync(await this.#read(net, address), address, net)).repository.gitDir
    })
    const { gitDir, config, env, remoteName } = this.#session
    const held = gitDir === null ? HOLDS_NOTHING : await heldRefs(resolve(gitDir))
    await requireSigned(signedRule(config, env, remoteName), path, held, config)
    return connectService(this.#local(path), service, NO_WISHES)
  }

  async push(): Promise<number> {
    return this.#withNet(async (net) => {
      const target = await this.#pushTarget(net)
      const { env, trace } = this.#session
      const nowSeconds = Math.floor(Date.now() / 1000)
      const warn = (text: string): void => this.#ports.printText(`warning: ${text}\n`)
      const { status, isPublished } = await servePush(this.#session, target, { env, net, trace, nowSeconds, warn })
      if (isPublished) await handOverPublication({ ...this.#session, id: target.folder.id, name: target.name })
      return status
    })
  }

  async #address(): Promise<PublishedAddress> {
    const { key, repository } = await this.#ports.resolve()
    return { key, repository: repositoryName(repository) }
  }

  async #pushTarget(net: Net): Promise<PushTarget> {
    const { key, repository: name } = await this.#address()
    const { env, config } = this.#session
    const store = new KeyStore(env, null, passphraseAsker(env, configValue(config, 'core.askpass')))
    const own = await store.find(key)
    // What the network has comes first, or a push from a new machine would forget what is published.
    const address = { key, repository: name }
    let publication = await this.#read(net, address).catch((error: unknown) => {
      if (own !== null && error instanceof HelperError && error.code === 'not-published') return null
      throw error
    })
    const signs = publication === null ? own : await store.find(publication.folder.id)
    const delegate = signs === null && publication !== null ? await delegateAmong(publication, store) : null
    const signer = signs ?? delegate?.key ?? null
    if (signer === null) {
      const id = publication?.folder.id ?? key
      throw new HelperError(
        'not-yours',
        `cannot push to gittorrent://${key}/${name}: key ${id} is not yours, and delegates nothing to a key of yours, try gittorrent keys`,
      )
    }
    if (publication !== null) publication = (await this.#sync(publication, address, net)).publication
    const folder = publication?.folder ?? new PublisherFolder(env, signer.id)
    const seed = await store.seedOf(signer)
    const signing = { seed, publicKey: Buffer.from(signer.publicKey, 'hex') }
    return { folder, name, signer: signing, publication, delegate: delegate?.delegate ?? null }
  }

  async #read(net: Net, { key, repository }: PublishedAddress, earlier?: Publication): Promise<Publication> {
    const { env, trace, signal } = this.#session
    const nowSeconds = Math.floor(Date.now() / 1000)
    const publication = await readPublication(key, repository, { net, env, trace, signal, nowSeconds, earlier })
    for (const note of publication.notes) this.#ports.printText(`warning: ${note}\n`)
    return publication
  }

  async #sync(given: Publication, address: PublishedAddress, net: Net): Promise<SyncOutcome> {
    const { config, settings, trace, signal } = this.#session
    const progress = this.#showsProgress ? openProgress(this.#ports.printText) : SILENT
    const around = { net, config, settings, trace, signal, progress }
    const outcome = await syncPublication(given, (earlier) => this.#read(net, address, earlier), around)
    const { publication } = outcome
    const { summary } = settings
    const isShown = summary === 'always' || (summary === 'auto' && !this.#isQuiet && outcome.bytesFromPeers > 0)
    const until = new Date(publication.record.expires * 1000).toISOString().slice(0, 10)
    if (isShown)
      this.#ports.printText(
        `gittorrent: ${countOf(publication.refs.length, 'ref')} signed by ${publication.folder.id}, seq ${publication.seq}, valid until ${until}; ${humanBytes(outcome.bytesFromPeers)} from peers\n`,
      )
    trace(() => `received ${outcome.bytesFromPeers} bytes from peers, 0 from the origin`)
    return outcome
  }

  async #withNet<T>(use: (net: Net) => Promise<T>): Promise<T> {
    const { settings, trace } = this.#session
    const net = await openNet(passing(publicNetOptions(settings, passingListen(settings), trace)))
    try {
      return await use(net)
    } finally {
      await net.close()
    }
  }

  #local(path: string): Session {
    const session = this.#session
    const origin: Origin = { kind: 'origin', scheme: 'file', url: path, user: null, host: '', port: null, path }
    const openSupply = async (): Promise<Supply> => linkSupply(path, session.trace)
    const supply = new SupplySession({ ...session, origin, openSupply, printText: () => {} })
    return { ...session, origin, supply }
  }
}

async function delegateAmong(
  { record }: Publication,
  store: KeyStore,
): Promise<{ key: OwnKey; delegate: Delegate } | null> {
  for (const delegate of record.delegates) {
    const key = await store.find(keyId(Buffer.from(delegate.key, 'hex')))
    if (key !== null) return { key, delegate }
  }
  return null
}
