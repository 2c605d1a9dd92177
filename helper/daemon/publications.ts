/**
 * What the daemon keeps of publishers: repositories by key and name, and whole publishers (all that a profile names, up to a
 * budget of disk). The list is a JSON file of its own in the daemon's home; everything else lies in the user's data folder, so
 * that `gittorrent publish`, pushes and readers on this machine work on the same state.
 */
import { readFile } from 'node:fs/promises'
import { type Net, openNet } from '../../net/index.ts'
import { buildChains } from '../build/chains.ts'
import { publicTips } from '../build/history.ts'
import type { GitConfig, Settings } from '../config.ts'
import { HelperError, messageOf } from '../errors.ts'
import { SILENT } from '../progress.ts'
import { idOf, KeptPublication, type PublicationKeeperPorts } from '../publish/kept-publication.ts'
import { FOLLOW_BUDGET_BYTES, PUBLICATION_COUNT_MAX } from '../publish/limits.ts'
import { repositoryName } from '../publish/names.ts'
import { type Pace, paceOf } from '../publish/pace.ts'
import { readProfile } from '../publish/reader.ts'
import { TipServer } from '../publish/tip-serve.ts'
import { passing, publicNetOptions } from '../share/ways-in.ts'
import { writeFileAtomically } from '../store/atomic-file.ts'
import type { Trace } from '../trace.ts'
import type { BackgroundBuilds } from './background-build.ts'
import { describePublication, type PublicationStatus } from './publication-status.ts'

/** One line of the list: a repository, or with `name` null all of a publisher's. */
export interface PublicationEntry {
  /** 40 or 64 hexadecimal digits. */
  readonly key: string
  readonly name: string | null
  /** Bytes on disk up to which further repositories are taken; for a whole publisher. */
  readonly budget: number | null
}

export interface PublicationsPorts {
  readonly listPath: string
  readonly net: Net
  readonly builds: BackgroundBuilds
  readonly env: NodeJS.ProcessEnv
  readonly config: GitConfig
  readonly settings: Settings
  readonly trace: Trace
  readonly log: (text: string) => void
  readonly signal: AbortSignal
}

export class Publications {
  readonly #ports: PublicationsPorts
  readonly #keeper: PublicationKeeperPorts
  readonly #tips: TipServer
  readonly #entries = new Map<string, PublicationEntry>()
  /** By `<id>/<name>`. */
  readonly #kept = new Map<string, KeptPublication>()
  readonly #timers: NodeJS.Timeout[] = []
  #writing: Promise<void> = Promise.resolve()

  private constructor(ports: PublicationsPorts) {
    this.#ports = ports
    this.#tips = new TipServer(ports.trace)
    this.#keeper = {
      ...ports,
      tips: this.#tips,
      progress: SILENT,
      openChains: async (repository) => {
        const { gitDir } = repository
        await ports.builds.run([gitDir, '--origin', gitDir, '--local-branches'], () => {})
        return buildChains(repository, await publicTips(repository, 'origin', true))
      },
    }
  }

  /** Takes up the list and serves what is here; looks for news from then on. @throws HelperError 'home-unsafe' */
  static async open(ports: PublicationsPorts): Promise<Publications> {
    const publications = new Publications(ports)
    for (const entry of await readEntries(ports.listPath)) {
      publications.#entries.set(keyOf(entry), entry)
      if (entry.name !== null) publications.#keep(entry.key, entry.name)
    }
    const { republishMs, lookMs }: Pace = paceOf(ports.env)
    publications.#every(republishMs, () => publications.#each((kept) => kept.republish()))
    publications.#every(lookMs, () => publications.#lookAtAll())
    for (const entry of publications.#entries.values()) if (entry.name === null) void publications.#takeAllOf(entry)
    return publications
  }

  #every(intervalMs: number, job: () => Promise<unknown>): void {
    this.#timers.push(setInterval(() => void job(), intervalMs))
  }

  #each(act: (kept: KeptPublication) => Promise<void>): Promise<unknown> {
    return Promise.all([...this.#kept.values()].map(act))
  }

  async #lookAtAll(): Promise<void> {
    await this.#each((kept) => kept.look())
    for (const entry of this.#entries.values()) if (entry.name === null) await this.#takeAllOf(entry)
  }

  /** Keeps a repository, or all of a publisher's, from now on. @throws HelperError 'usage', 'limit' */
  async add(entry: PublicationEntry): Promise<PublicationStatus[]> {
    this.#entries.set(keyOf(entry), entry)
    await this.#save()
    if (entry.name === null) void this.#takeAllOf(entry)
    else void this.#keep(entry.key, entry.name).look()
    return this.status().filter(({ key }) => key === idOf(entry.key))
  }

  /** Something was published on this machine: keeps it, and serves it as it is now. */
  async published(key: string, name: string): Promise<void> {
    const entry = { key, name, budget: null }
    if (!this.#kept.has(placeOf(key, name))) {
      this.#entries.set(keyOf(entry), entry)
      await this.#save()
    }
    await this.#keep(key, name).heard()
  }

  /** Lets go; nothing on disk is deleted. Returns whether it was there. */
  async remove(key: string, name: string | null): Promise<boolean> {
    const was = this.#entries.delete(keyOf({ key, name }))
    for (const [place, kept] of this.#kept) {
      const isMeant = name === null ? place.startsWith(`${idOf(key)}/`) : place === placeOf(key, name)
      if (!isMeant || this.#entries.has(place)) continue
      this.#kept.delete(place)
      await kept.close()
    }
    await this.#save()
    return was
  }

  /** Begins to keep a repository, from what is on disk. @throws HelperError 'limit' */
  #keep(key: string, name: string): KeptPublication {
    const place = placeOf(key, name)
    const known = this.#kept.get(place)
    if (known !== undefined) return known
    if (this.#kept.size >= PUBLICATION_COUNT_MAX)
      throw new HelperError('limit', `cannot keep '${name}': expected at most ${PUBLICATION_COUNT_MAX} publications`)
    const kept = new KeptPublication({ key, name }, { ...this.#keeper, roomLeft: () => this.#roomFor(place) })
    this.#kept.set(place, kept)
    void kept.heard()
    return kept
  }

  /** Takes further repositories of a publisher while the budget lasts, in the order of the profile. */
  async #takeAllOf({ key, budget }: PublicationEntry): Promise<void> {
    const { settings, trace, env, signal, log } = this.#ports
    const net = await openNet(passing(publicNetOptions(settings, null, trace)))
    try {
      const profile = await readProfile(key, { net, env, trace, signal, nowSeconds: Math.floor(Date.now() / 1000) })
      for (const { name } of profile.repositories) {
        if (this.#kept.has(placeOf(key, name))) continue
        if (this.#usedBy(idOf(key)) >= (budget ?? FOLLOW_BUDGET_BYTES)) {
          log(`publisher ${idOf(key)}: budget of ${budget ?? FOLLOW_BUDGET_BYTES} bytes used, '${name}' is left out`)
          continue
        }
        await this.#keep(key, repositoryName(name)).look()
      }
    } catch (error) {
      if (!signal.aborted) log(`publisher ${idOf(key)}: ${messageOf(error)}`)
    } finally {
      await net.close()
    }
  }

  /** Bytes that may come for a publication: what is left of its publisher's budget, unless it was asked for by its name. */
  #roomFor(place: string): number {
    const id = place.slice(0, place.indexOf('/'))
    const whole = this.#entries.get(`${id}/`)
    if (whole === undefined || this.#entries.has(place)) return Number.POSITIVE_INFINITY
    return Math.max(0, (whole.budget ?? FOLLOW_BUDGET_BYTES) - this.#usedBy(id))
  }

  #usedBy(id: string): number {
    const kept = [...this.#kept].filter(([place]) => place.startsWith(`${id}/`))
    return kept.reduce((sum, [, { diskLength }]) => sum + diskLength, 0)
  }

  status(): PublicationStatus[] {
    return [...this.#kept.values()].map(describePublication)
  }

  #save(): Promise<void> {
    const entries = [...this.#entries.values()]
    const text = `${JSON.stringify({ version: 1, publications: entries }, null, 2)}\n`
    const { listPath, log } = this.#ports
    this.#writing = this.#writing.then(() =>
      writeFileAtomically(listPath, [Buffer.from(text)]).catch((error: unknown) =>
        log(`'${listPath}': ${messageOf(error)}`),
      ),
    )
    return this.#writing
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    this.#tips.close()
    await Promise.all([...this.#kept.values()].map((kept) => kept.close()))
    await this.#writing
  }
}

const placeOf = (key: string, name: string): string => `${idOf(key)}/${name}`

function keyOf({ key, name }: Pick<PublicationEntry, 'key' | 'name'>): string {
  return `${idOf(key)}/${name ?? ''}`
}

/** The list as it is on disk. @throws HelperError 'home-unsafe' when the file is not ours */
export async function readEntries(path: string): Promise<PublicationEntry[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (text === null) return []
  try {
    const { version, publications } = JSON.parse(text)
    if (version !== 1 || !Array.isArray(publications)) throw new Error('another version')
    return publications.map(parseEntry)
  } catch (error) {
    throw new HelperError('home-unsafe', `'${path}': expected a list of publications, try to move it away`, {}, error)
  }
}

function parseEntry(value: unknown): PublicationEntry {
  const { key, name, budget } = Object(value)
  const isBudget = budget === null || (Number.isSafeInteger(budget) && budget >= 0)
  if (typeof key !== 'string' || !isBudget) throw new Error('a malformed entry')
  idOf(key)
  return { key, name: name === null ? null : repositoryName(String(name)), budget }
}
