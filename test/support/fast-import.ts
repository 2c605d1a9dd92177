/**
 * Builds an ordinary repository in one `git fast-import`: for tests that need some history and do not care about odd objects.
 * Dates advance by one minute per commit from a fixed day, so that object names repeat from run to run.
 * Random and odd histories are in test/engine/histories.ts; large realistic ones in bench/generate-repository.ts.
 */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { git } from './git.ts'
import { createRepository, type ObjectFormat } from './object-writer.ts'
import { withTemporaryDirectory } from './temporary-directory.ts'

const FIRST_COMMIT_SECONDS = 1_112_911_993
const SECONDS_PER_COMMIT = 60

export interface CommitToImport {
  /** Full ref name or branch name; `main` unless given. */
  readonly branch?: string
  /** Indexes into the list of commits; the commit before this one unless given, none for a root. */
  readonly parents?: readonly number[]
  /** Path to content; null deletes the path. What is not named stays as it is in the first parent. */
  readonly files?: Readonly<Record<string, Uint8Array | string | null>>
  readonly message?: string
}

/**
 * Creates a bare repository in `directory` with `commits`, and returns their oids in the same order.
 * Each branch ends at the last commit that names it.
 */
export async function importCommits(
  directory: string,
  commits: readonly CommitToImport[],
  objectFormat: ObjectFormat = 'sha1',
): Promise<string[]> {
  await createRepository(directory, objectFormat)
  return withTemporaryDirectory(async (scratch) => {
    const marks = join(scratch, 'marks')
    const input = Buffer.concat(commits.flatMap(commitCommands))
    await git(['fast-import', '--quiet', '--force', `--export-marks=${marks}`], { directory, input })
    return parseMarks(await readFile(marks, 'latin1'), commits.length)
  })
}

/**
 * Creates a bare repository with `count` commits in a line on `main`, each changing one of ten files and none empty.
 * Returns their oids, oldest first.
 */
export function importLine(directory: string, count: number, objectFormat: ObjectFormat = 'sha1'): Promise<string[]> {
  const commits = Array.from({ length: count }, (_, index) => ({
    files: { [`source/file-${index % 10}.txt`]: lineOfText(index) },
  }))
  return importCommits(directory, commits, objectFormat)
}

function lineOfText(index: number): string {
  const unchanged = Array.from({ length: 40 }, (_, line) => `line ${line} of file ${index % 10}\n`).join('')
  return `${unchanged}changed by commit ${index}\n`
}

function commitCommands(commit: CommitToImport, index: number): Uint8Array[] {
  const date = `${FIRST_COMMIT_SECONDS + index * SECONDS_PER_COMMIT} +0000`
  const parents = commit.parents ?? (index === 0 ? [] : [index - 1])
  const ref = commit.branch ?? 'main'
  const header = [
    // A branch that exists already would lend its tip to a root commit.
    parents.length === 0 ? `reset ${fullRef(ref)}\n` : '',
    `commit ${fullRef(ref)}\nmark :${index + 1}\n`,
    `author A U Thor <author@example.com> ${date}\ncommitter C O Mitter <committer@example.com> ${date}\n`,
  ]
  const merges = parents.map((parent, position) => `${position === 0 ? 'from' : 'merge'} :${parent + 1}\n`)
  const files = Object.entries(commit.files ?? {}).flatMap(([path, content]) => fileCommand(path, content))
  return [
    Buffer.from(header.join('')),
    dataCommand(commit.message ?? `commit ${index}\n`),
    Buffer.from(merges.join('')),
    ...files,
    Buffer.from('\n'),
  ]
}

function fileCommand(path: string, content: Uint8Array | string | null): Uint8Array[] {
  if (content === null) return [Buffer.from(`D ${path}\n`)]
  return [Buffer.from(`M 100644 inline ${path}\n`), dataCommand(content)]
}

function dataCommand(content: Uint8Array | string): Uint8Array {
  const bytes = Buffer.from(content)
  return Buffer.concat([Buffer.from(`data ${bytes.length}\n`), bytes, Buffer.from('\n')])
}

function fullRef(branch: string): string {
  return branch.startsWith('refs/') ? branch : `refs/heads/${branch}`
}

function parseMarks(text: string, count: number): string[] {
  const oids = new Map(
    text.split('\n').map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]),
  )
  return Array.from({ length: count }, (_, index) => {
    const oid = oids.get(`:${index + 1}`)
    if (oid === undefined) throw new Error(`fast-import: expected a mark for commit ${index}, got none`)
    return oid
  })
}
