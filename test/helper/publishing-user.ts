/**
 * Users for tests of publishing in one process: each has a data folder, publishes with keys of the test's choosing at moments of
 * the test's choosing, serves what lies there on a net of its own, and reads from nets that the test names.
 */
import { createHash } from 'node:crypto'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { readSettings } from '../../helper/config.ts'
import { keyId } from '../../helper/keys/key-store.ts'
import { SILENT } from '../../helper/progress.ts'
import type { Signer } from '../../helper/publish/own-record.ts'
import { type PublishChanges, publishRepository } from '../../helper/publish/publish.ts'
import { PublisherFolder } from '../../helper/publish/publisher-folder.ts'
import { type Publication, readPublication } from '../../helper/publish/reader.ts'
import { servePublisher } from '../../helper/publish/serve-publisher.ts'
import { syncPublication } from '../../helper/publish/sync.ts'
import { TipServer } from '../../helper/publish/tip-serve.ts'
import { openTrace } from '../../helper/trace.ts'
import { ed25519PublicKey, type Net } from '../../net/index.ts'
import { importCommits } from '../support/fast-import.ts'
import { git } from '../support/git.ts'
import { openLoopbackNet } from '../support/loopback-net.ts'
import { directoryUntilExit } from '../support/temporary-directory.ts'

export const TRACE = openTrace({})
export const START = 1_795_000_000
export const LIFETIME_S = 30 * 24 * 3600
const ROOT = directoryUntilExit()
const BYTES_COMMIT_COUNT = 12
let userCount = 0
let commitCount = 0

export function signerOf(number: number): Signer {
  const seed = Buffer.alloc(32, number)
  return { seed, publicKey: ed25519PublicKey(seed) }
}

export const hexOf = ({ publicKey }: Signer): string => Buffer.from(publicKey).toString('hex')

export class User {
  readonly env = { GITTORRENT_DATA: join(ROOT, String(userCount++)), HOME: '/nonexistent' }

  folder(signer: Signer): PublisherFolder {
    return new PublisherFolder(this.env, keyId(signer.publicKey))
  }

  /** Makes refs of the isolated repository of `signer` what `branches` says, each a fresh commit. */
  async write(signer: Signer, ...branches: string[]): Promise<void> {
    const repository = await this.folder(signer).openRepository('project', 'sha1')
    const commits = branches.map((branch, n) => ({
      branch,
      parents: [],
      files: { [branch]: `${branch} ${n} ${commitCount++}\n` },
    }))
    await importCommits(repository.gitDir, commits)
  }

  /** Makes refs/heads/main of the isolated repository of `signer` a few commits, whose files have so many random bytes in all. */
  async writeBytes(signer: Signer, length: number): Promise<void> {
    const repository = await this.folder(signer).openRepository('project', 'sha1')
    const outputLength = Math.ceil(length / BYTES_COMMIT_COUNT)
    const commits = Array.from({ length: BYTES_COMMIT_COUNT }, (_, n) => ({
      files: { [`file${n}`]: createHash('shake256', { outputLength }).update(String(n)).digest() },
    }))
    await importCommits(repository.gitDir, commits)
  }

  async publish(
    signer: Signer,
    at: number,
    changes: PublishChanges = {},
    lifetimeSeconds = LIFETIME_S,
    net: Net | null = null,
  ): Promise<number> {
    const around = { env: this.env, net, trace: TRACE, nowSeconds: START + at, lifetimeSeconds }
    return (await publishRepository(signer, 'project', changes, around)).seq
  }

  /** Serves what lies here under a key, until the test ends. */
  async serve(t: TestContext, signer: Signer): Promise<Net> {
    const net = await openLoopbackNet()
    const tips = new TipServer(TRACE)
    const service = await servePublisher(net, this.folder(signer), 'project', tips)
    t.after(async () => {
      tips.close()
      await service.close()
      await net.close()
    })
    return net
  }

  async read(signer: Signer, peers: readonly Net[], at: number): Promise<Publication> {
    const addresses = peers.flatMap(({ address }) => address ?? [])
    const net = await openLoopbackNet({ listen: null, peers: addresses })
    try {
      const signal = new AbortController().signal
      const around = { net, env: this.env, trace: TRACE, signal, nowSeconds: START + at, waitMs: 5_000 }
      const read = (earlier?: Publication): Promise<Publication> =>
        readPublication(keyId(signer.publicKey), 'project', { ...around, earlier })
      const settings = readSettings(new Map(), {})
      const sync = { net, config: new Map(), settings, trace: TRACE, signal, progress: SILENT }
      return (await syncPublication(await read(), read, sync)).publication
    } finally {
      await net.close()
    }
  }

  /** A user with the same state. */
  async copy(): Promise<User> {
    const other = new User()
    await cp(this.env.GITTORRENT_DATA, other.env.GITTORRENT_DATA, { recursive: true })
    return other
  }

  tip(signer: Signer, branch: string): Promise<string> {
    const directory = join(
      this.env.GITTORRENT_DATA,
      'publishers',
      keyId(signer.publicKey),
      'repositories',
      'project.git',
    )
    return git(['rev-parse', branch], { directory })
  }
}

export const KEY = signerOf(1)

/** A user who has published under KEY. */
export async function published(): Promise<User> {
  const owner = new User()
  await owner.write(KEY, 'main')
  await owner.publish(KEY, 0)
  return owner
}
