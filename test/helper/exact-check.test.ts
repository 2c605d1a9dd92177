/**
 * Goal: a pack passes the exact check if and only if it holds all that its tip reaches and nothing else.
 * Method: packs that git makes of a repository with merges, submodules and deep folders, whole, with one object less and with one
 * more; what git reaches is the oracle. Both kinds of deltas, both object formats; threads for the first of each.
 */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { areAllNamedBut, type Oid, parseOid, ReferenceMarks, readPackTable, sourceOfBytes } from '../../engine/index.ts'
import { holdsExactly } from '../../helper/share/supply/exact-check.ts'
import type { PackFiles } from '../../helper/share/supply/exact-worker.ts'

const folder = mkdtempSync(join(tmpdir(), 'gittorrent-exact-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const ENVIRONMENT = { ...process.env, HOME: folder, GIT_CONFIG_NOSYSTEM: '1' }

/** Commits as a stream for `git fast-import`: forty files in two folders, one of which changes each time, and a merge. */
function history(format: 'sha1' | 'sha256'): string {
  const submodule = (format === 'sha1' ? '1' : '2').repeat(format === 'sha1' ? 40 : 64)
  const lines: string[] = []
  const commit = (number: number, from: string, ...changes: string[]): void => {
    const text = `commit ${number}`
    lines.push('commit refs/heads/main', `mark :${number}`, `committer A <a@b> ${1_000_000_000 + number} +0000`)
    lines.push(`data ${text.length}`, text, from, ...changes, '')
  }
  const file = (path: string, content: string): string => `M 100644 inline ${path}\ndata ${content.length}\n${content}`
  const all = Array.from({ length: 40 }, (_, index) =>
    file(`${index % 2 ? 'a/deep' : 'b'}/file-${index}`, `first ${index}\n`),
  )
  commit(1, '', ...all, `M 160000 ${submodule} linked`)
  for (let number = 2; number <= 40; number++)
    commit(
      number,
      `from :${number - 1}`,
      file(`${number % 2 ? 'a/deep' : 'b'}/file-${number % 40}`, `then ${number}\n`),
    )
  commit(41, 'from :40\nmerge :20', file('b/merged', 'both\n'))
  return `${lines.filter((line) => line !== '').join('\n')}\n`
}

/** What the threads of the check do, here. */
function verdictOfOne({ path, hashLength }: PackFiles, tip: Oid): boolean {
  const source = sourceOfBytes(readFileSync(`${path}.pack`))
  const table = readPackTable(readFileSync(`${path}.idx`), source, hashLength)
  const named = new Uint8Array(table.count)
  return new ReferenceMarks(table, source, named).mark(0, 1) && areAllNamedBut(tip, table, named)
}

for (const format of ['sha1', 'sha256'] as const) {
  test(`only the exact history passes (${format})`, async () => {
    const gitDir = join(folder, `${format}.git`)
    const git = (args: readonly string[], input = ''): string =>
      execFileSync('git', ['--git-dir', gitDir, ...args], { env: ENVIRONMENT, input, encoding: 'utf8' }).trim()
    execFileSync('git', ['init', '--quiet', '--bare', `--object-format=${format}`, gitDir], { env: ENVIRONMENT })
    git(['fast-import', '--quiet'], history(format))
    const names = (revision: string): string[] =>
      git(['rev-list', '--objects', '--no-object-names', revision]).split('\n')
    const tip = git(['rev-parse', 'main'])
    const whole = names('main')
    const padding = git(['hash-object', '-w', '--stdin'], 'padding\n')
    const aTree = git(['rev-parse', 'main:a'])

    let threadCount = 2
    const verdict = async (objects: readonly string[], of: string, ...options: string[]): Promise<boolean> => {
      const base = join(folder, `pack-${readdirSync(folder).length}`)
      const hash = git(['pack-objects', '--quiet', ...options, base], `${objects.join('\n')}\n`)
      const pack = { path: `${base}-${hash}`, hashLength: format === 'sha1' ? 20 : 32 }
      return threadCount > 0
        ? holdsExactly(pack, parseOid(of, format), threadCount)
        : verdictOfOne(pack, parseOid(of, format))
    }
    assert.ok(git(['rev-list', '--count', 'main']) === '41' && whole.length > 120)
    assert.equal(await verdict(whole, tip), true, 'REF_DELTA')
    threadCount = 0
    assert.equal(await verdict(whole, tip, '--delta-base-offset'), true, 'OFS_DELTA')
    assert.equal(await verdict(whole, tip, '--depth=0'), true, 'no deltas')
    assert.equal(await verdict([...whole, padding], tip), false, 'one blob more')
    assert.equal(await verdict(whole, git(['rev-parse', 'main~1'])), false, 'a commit more')
    assert.equal(
      await verdict(
        whole.filter((oid) => oid !== aTree),
        tip,
      ),
      false,
      'a tree less',
    )
    // An old blob: the tree that names it is a delta in the middle of a chain.
    const old = git(['rev-parse', 'main~20:b/file-0'])
    assert.equal(
      await verdict(
        whole.filter((oid) => oid !== old),
        tip,
      ),
      false,
      'a blob less',
    )
    assert.equal(
      await verdict(
        whole.filter((oid) => oid !== tip),
        tip,
      ),
      false,
      'no tip',
    )
  })
}
