/**
 * The user's own keys: one file per key in <data>/keys, named by the key's id, mode 0600 in a folder of mode 0700.
 * A key's id is the BEP 44 target of its public key without salt (SHA-1, 40 digits): what stands in URLs. A file that others may read is
 * refused, as ssh does, because who reads it can publish in the user's name.
 */
import { randomBytes } from 'node:crypto'
import { chmod, link, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { itemTarget } from '../../net/index.ts'
import type { Environment } from '../config.ts'
import { dataFolder } from '../data-folder.ts'
import { HelperError } from '../errors.ts'
import { temporaryPath } from '../store/atomic-file.ts'
import type { AskPassphrase } from './ask-passphrase.ts'
import { PASSPHRASE_TRY_COUNT } from './limits.ts'
import { readSecret, type SecretText, writeSecret } from './secret-text.ts'

const SUFFIX = '.key'
const NO_SALT = new Uint8Array(0)

export interface OwnKey extends SecretText {
  /** 40 hexadecimal digits. */
  readonly id: string
  /** The file's text, for a backup. */
  readonly text: string
}

/** The id of a public key (32 bytes): 40 hexadecimal digits. */
export function keyId(publicKey: Uint8Array): string {
  return Buffer.from(itemTarget(publicKey, NO_SALT)).toString('hex')
}

export class KeyStore {
  readonly folder: string
  readonly #passphrase: string | null
  readonly #ask: AskPassphrase

  /**
   * @param passphrase for sealed keys; null: GITTORRENT_PASSPHRASE, if it is set
   * @param ask asks for it where neither is there; nobody is asked unless given
   */
  constructor(env: Environment, passphrase: string | null = null, ask: AskPassphrase = async () => null) {
    this.folder = join(dataFolder(env), 'keys')
    this.#passphrase = passphrase ?? env.GITTORRENT_PASSPHRASE ?? null
    this.#ask = ask
  }

  /** Makes a new key; sealed if there is a passphrase. */
  create(): Promise<OwnKey> {
    return this.#add(randomBytes(32), this.#passphrase)
  }

  /** Takes a key in from its backup, and seals it with the passphrase that was given, or that opened it. @throws HelperError 'key-unusable' */
  async import(text: string): Promise<OwnKey> {
    const { seed, passphrase } = await this.#open(readSecret(text))
    return this.#add(seed, passphrase)
  }

  /** All keys, by id. */
  async list(): Promise<OwnKey[]> {
    const names = await readdir(this.folder).catch(() => [])
    const files = names.filter((name) => /^[0-9a-f]{40}\.key$/.test(name)).sort()
    return Promise.all(files.map((name) => this.#read(name)))
  }

  /** The key with this id or public key, or null. */
  async find(idOrKey: string): Promise<OwnKey | null> {
    const id = idOrKey.length === 64 ? keyId(Buffer.from(idOrKey, 'hex')) : idOrKey
    const found = await stat(join(this.folder, `${id}${SUFFIX}`)).catch(() => null)
    return found === null ? null : this.#read(`${id}${SUFFIX}`)
  }

  /** The key that `wanted` names (the beginning of its id or public key), or the only one. @throws HelperError 'key-missing' */
  async choose(wanted: string | null): Promise<OwnKey> {
    const keys = await this.list()
    const fitting =
      wanted === null ? keys : keys.filter(({ id, publicKey }) => id.startsWith(wanted) || publicKey.startsWith(wanted))
    const [only] = fitting
    if (only !== undefined && fitting.length === 1) return only
    const got = `${fitting.length === 0 ? 'none' : fitting.length} of ${keys.length} keys`
    const remedy = keys.length === 0 ? 'gittorrent keygen' : '--key <the beginning of its id>'
    throw new HelperError(
      'key-missing',
      `key: expected one key${wanted === null ? '' : ` '${wanted}'`}, got ${got}, try ${remedy}`,
    )
  }

  /** The secret of a key of ours. @throws HelperError 'key-unusable' */
  async seedOf(key: OwnKey): Promise<Uint8Array> {
    return (await this.#open(key)).seed
  }

  /** Opens a secret; who is asked may try again. */
  async #open(secret: SecretText): Promise<{ seed: Uint8Array; passphrase: string | null }> {
    const given = this.#passphrase
    if (!secret.isSealed || given !== null) return { seed: await secret.open(given), passphrase: given }
    const id = keyId(Buffer.from(secret.publicKey, 'hex'))
    for (let attempt = 1; ; attempt++) {
      const passphrase = await this.#ask(`Passphrase for key ${id}: `)
      try {
        return { seed: await secret.open(passphrase), passphrase }
      } catch (error) {
        if (passphrase === null || attempt >= PASSPHRASE_TRY_COUNT) throw error
      }
    }
  }

  async #add(seed: Uint8Array, passphrase: string | null): Promise<OwnKey> {
    const text = await writeSecret(seed, passphrase)
    const secret = readSecret(text)
    const name = `${keyId(Buffer.from(secret.publicKey, 'hex'))}${SUFFIX}`
    await mkdir(this.folder, { recursive: true, mode: 0o700 })
    await chmod(this.folder, 0o700)
    const temporary = temporaryPath(this.folder)
    try {
      const file = await open(temporary, 'wx', 0o600)
      await file.writeFile(text)
      await file.sync()
      await file.close()
      // A link, unlike a rename, never replaces a key that is there.
      await link(temporary, join(this.folder, name)).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'EEXIST') throw new HelperError('key-unusable', `key: expected a new one, got ${name} again`)
        throw error
      })
    } finally {
      await rm(temporary, { force: true })
    }
    return this.#read(name)
  }

  async #read(name: string): Promise<OwnKey> {
    const path = join(this.folder, name)
    const { mode } = await stat(path)
    if ((mode & 0o077) !== 0) {
      const got = (mode & 0o777).toString(8).padStart(4, '0')
      throw new HelperError('key-unusable', `key '${path}': expected mode 0600, got ${got}, try chmod 600 '${path}'`)
    }
    const text = await readFile(path, 'utf8')
    return { ...readSecret(text), id: name.slice(0, -SUFFIX.length), text }
  }
}
