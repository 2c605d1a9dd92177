/**
 * An OpenPGP key for tests, in a folder of its own: made by gpg without a passphrase, used by git through a program that knows the
 * folder. The agent that gpg starts ends with the test.
 */
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface OpenPgpKey {
  readonly fingerprint: string
  /** Settings of git with which the key's owner signs. */
  readonly signing: readonly string[]
  /** Settings of git with which a reader checks; the key's validity is unknown there. */
  readonly checking: readonly string[]
}

export async function makeOpenPgpKey(t: TestContext, folder: string): Promise<OpenPgpKey> {
  // The agent's socket has its path's length limited.
  const home = join(folder, 'pg')
  await mkdir(home, { mode: 0o700 })
  const gpg = { env: { ...process.env, GNUPGHOME: home } }
  t.after(() => run('gpgconf', ['--kill', 'all'], gpg))
  const user = 'A U Thor <author@example.com>'
  await run('gpg', ['--batch', '--quiet', '--passphrase', '', '--quick-gen-key', user, 'ed25519', 'sign', 'never'], gpg)
  const { stdout } = await run('gpg', ['--batch', '--with-colons', '--list-keys'], gpg)
  const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(stdout)?.[1] ?? ''
  const program = join(folder, 'gpg')
  await writeFile(program, `#!/bin/sh\nGNUPGHOME='${home}' exec gpg "$@"\n`, { mode: 0o755 })
  const checking = ['-c', `gpg.program=${program}`]
  return { fingerprint, signing: [...checking, '-c', `user.signingKey=${fingerprint}`], checking }
}
