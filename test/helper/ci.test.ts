/**
 * Goal: each CI workflow that we hand out does its job from nothing, costs nothing when nothing changed, and what it publishes is
 * what users clone from.
 * Method: the steps as they stand in the files, in an empty environment, with stand-ins for npm, gh and rsync that work on folders; an
 * origin over smart HTTP that takes pushes; then clones from what was published.
 */

import assert from 'node:assert/strict'
import { chmod, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import { type StaticServer, startStaticServer } from '../../bench/static-server.ts'
import { parseManifest } from '../../helper/export/manifest.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'
import { projectRoot } from '../tidy/project.ts'
import { startSmartHttp, type TestOrigin } from './origin.ts'

const CI = join(projectRoot, 'helper', 'ci')

let world: DemoWorld
let http: TestOrigin
let web: StaticServer

/** Stand-ins write what they did to $LOG. */
const STAND_INS: Readonly<Record<string, string>> = {
  npm: 'case $1 in root) echo "$FAKE_MODULES";; install) echo "npm $*" >>"$LOG";; *) exit 9;; esac',
  rsync:
    'before=; for last; do from=$before; before=$last; done; mkdir -p "$last"; cp -R "$from." "$last"; echo rsync >>"$LOG"',
  gh: `cd_release() { test -d "$FAKE_RELEASE"; }
case "$1 $2" in
  'release view') cd_release;;
  'release create') mkdir -p "$FAKE_RELEASE";;
  'release download') cp "$FAKE_RELEASE/$5" "$7";;
  'release upload') cp "$4" "$FAKE_RELEASE/"; echo "upload \${4##*/}" >>"$LOG";;
  'release delete-asset') rm "$FAKE_RELEASE/$4"; echo "delete $4" >>"$LOG";;
  *) exit 9;;
esac`,
}

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await generateRepository(join(world.folder, 'origin.git'), { commitCount: 250, seed: 41 })
  const bin = join(world.folder, 'stand-ins')
  await mkdir(bin)
  for (const [name, body] of Object.entries(STAND_INS)) {
    await writeFile(join(bin, name), `#!/bin/sh\nset -eu\n${body}\n`)
    await chmod(join(bin, name), 0o755)
  }
  await mkdir(join(world.folder, 'modules'))
  await symlink(projectRoot, join(world.folder, 'modules', 'gittorrent-swarm'))
  await mkdir(join(world.folder, 'published'))
  http = untilFileEnds(await startSmartHttp(world.folder))
  web = untilFileEnds(await startStaticServer(join(world.folder, 'published')))
})

/** Shell lines of a workflow: `run:` of GitHub, `script:` of GitLab. */
async function stepsOf(file: string): Promise<string> {
  const text = await readFile(join(CI, file), 'utf8')
  const blocks = [...text.matchAll(/^( +)(?:- )?run: \|\n((?:\1 +.*\n|\n)+)/gm)].map(([, , block = '']) => block)
  const single = [...text.matchAll(/^ +(?:- )?run: ([^|\n].*)$/gm)].map(([, line = '']) => line)
  const script = /^ {2}script:\n((?: {4}- .*\n)+)/m.exec(text)?.[1]?.replace(/^ {4}- /gm, '') ?? ''
  return [...single, ...blocks.map((block) => block.replace(/^ +/gm, '')), script].join('\n')
}

/** Runs shell lines where nothing is but PATH and `variables`; returns what the stand-ins noted. */
async function runClean(lines: string, name: string, variables: Readonly<Record<string, string>>): Promise<string[]> {
  const home = join(world.folder, `home ${name}`)
  const log = join(world.folder, 'log')
  await mkdir(home, { recursive: true })
  await writeFile(log, '')
  const path = `${join(world.folder, 'stand-ins')}:${join(world.folder, 'bin')}:${process.env.PATH}`
  const all = {
    PATH: path,
    HOME: home,
    LOG: log,
    FAKE_MODULES: join(world.folder, 'modules'),
    GITTORRENT_DHT: 'false',
    GITTORRENT_LSD: 'false',
    ...variables,
  }
  const assignments = Object.entries(all).map(([key, value]) => `${key}=${value}`)
  await world.run('env', ['-i', '-C', home, ...assignments, 'bash', '-euo', 'pipefail', '-c', lines])
  return (await readFile(log, 'utf8')).split('\n').filter(Boolean)
}

async function addCommits(count: number): Promise<void> {
  const commits = Array.from({ length: count }, (_, index) => {
    const head = ['commit refs/heads/main', `committer T <t@example.org> ${1_700_000_000 + index} +0000`, 'data 1', 'x']
    const from = index === 0 ? ['from refs/heads/main^0'] : []
    const content = `${index}\n`.repeat(99)
    return [...head, ...from, `M 100644 inline h${index % 5}`, `data ${content.length}`, content]
  })
  await world.run('git', ['-C', 'origin.git', 'fast-import', '--quiet'], { input: `${commits.flat().join('\n')}\n` })
}

/** Clones from what was published, with git alone and through the helper, which finds it where `isNamed`. */
async function assertServes(name: string, folder: string, isNamed: boolean): Promise<void> {
  const origin = `${http.url}/origin.git`
  const list = `--bundle-uri=${web.url}/${folder}/bundle-list`
  await world.git('clone', '--quiet', origin, `plain ${name}`)
  await world.git('clone', '--quiet', list, origin, `stock ${name}`)
  const settings = isNamed ? [] : [`gittorrent.webseed=${web.url}/${folder}/manifest.json`]
  const { bytes } = await world.viaSwarm(
    ['clone', '--quiet', `gittorrent::${origin}`, `ours ${name}`],
    ['gittorrent.dht=false', ...settings],
  )
  assert.ok(bytes.web > 4 * bytes.origin, JSON.stringify(bytes))
  const branches = (of: string): Promise<string> => world.git('-C', of, 'for-each-ref', 'refs/heads', 'refs/remotes')
  for (const kind of ['stock', 'ours']) {
    assert.equal(await branches(`${kind} ${name}`), await branches(`plain ${name}`))
    await world.git('-C', `${kind} ${name}`, 'fsck', '--full', '--no-progress')
  }
}

it('GitHub: release assets, only what changed, named in the origin', async () => {
  const steps = await stepsOf('github.yml')
  assert.match(steps, /npm install[\s\S]*publish\.sh/)
  const release = join(world.folder, 'published', 'github')
  const variables = {
    ORIGIN_URL: `${http.url}/origin.git`,
    BASE_URL: `${web.url}/github`,
    STATE_DIR: join(world.folder, 'state github'),
    RELEASE: 'bundles',
    GH_REPO: 'o/r',
    GH_TOKEN: 'x',
    FAKE_RELEASE: release,
  }
  const first = (await runClean(steps, 'github', variables)).filter((line) => line.startsWith('upload'))
  assert.equal(first.at(-1), 'upload SHA256SUMS')
  assert.equal(first.at(-2), 'upload manifest.json')
  await assertServes('github', 'github', true)
  assert.deepEqual(
    (await runClean(steps, 'github', variables)).filter((line) => /^(upload|delete)/.test(line)),
    [],
  )
  await addCommits(40)
  const third = (await runClean(steps, 'github', variables)).filter((line) => line.startsWith('upload'))
  assert.ok(third.length > 3 && third.length < first.length, `${third.length} of ${first.length} uploaded`)
  assert.ok(third.filter((line) => line.endsWith('.bundle')).every((line) => !first.includes(line)))
  await world.run('sh', ['-c', 'cd published/github && sha256sum --strict --quiet -c SHA256SUMS'])
  // A cold cache costs time only: the bytes are the same.
  await rm(variables.STATE_DIR, { recursive: true })
  const cold = (await runClean(steps, 'github', variables)).filter((line) => line.endsWith('.bundle'))
  assert.deepEqual(
    cold.filter((line) => line.startsWith('upload')),
    [],
  )
})

it('GitLab: the folder becomes the artifact of pages', async () => {
  const steps = await stepsOf('gitlab.yml')
  assert.match(steps, /npm install[\s\S]*publish\.sh[\s\S]*public/)
  const variables = {
    CI_REPOSITORY_URL: `${http.url.replace('//', '//gitlab-ci-token:secret@')}/origin.git`,
    CI_PAGES_URL: `${web.url}/gitlab`,
    STATE_DIR: 'gittorrent-ci',
  }
  await runClean(steps, 'gitlab', variables)
  await runClean(steps, 'gitlab', variables)
  await symlink(join(world.folder, 'home gitlab', 'public'), join(world.folder, 'published', 'gitlab'))
  await world.run('sh', ['-c', '! grep -rl secret "home gitlab"'])
  await assertServes('gitlab', 'gitlab', false)
})

it('plain shell: rsync, then seeding for a while, as often as one likes', async () => {
  const variables = {
    ORIGIN_URL: `${http.url}/origin.git`,
    BASE_URL: `${web.url}/shell`,
    STATE_DIR: join(world.folder, 'state shell'),
    UPLOAD_TARGET: join(world.folder, 'published', 'shell/'),
    SEED_FOR: '2s',
    GITTORRENT_LISTEN: '127.0.0.1:0',
  }
  const script = `sh ${join(CI, 'shell.sh')}`
  assert.deepEqual(await runClean(script, 'shell', variables), ['rsync'])
  assert.deepEqual(await runClean(script, 'shell', variables), ['rsync'])
  await assertServes('shell', 'shell', false)
  // With a key of the runner's own, which may change between two runs.
  const signed = `SIGNING_KEY=$(gittorrent keygen | cut -c 1-12)\nexport SIGNING_KEY\n${script}`
  assert.deepEqual(await runClean(signed, 'shell', { ...variables, SEED_FOR: '1s' }), ['rsync'])
  const manifest = await readFile(join(world.folder, 'published', 'shell', 'manifest.json'))
  assert.match(parseManifest(manifest).key ?? '', /^[0-9a-f]{64}$/)
})

it('a repository that cannot be reached ends the job, and the next run is sound', async () => {
  const variables = { BASE_URL: `${web.url}/later`, STATE_DIR: join(world.folder, 'state later') }
  const script = `sh ${join(CI, 'publish.sh')}`
  await assert.rejects(runClean(script, 'later', { ...variables, ORIGIN_URL: `${http.url}/not-there.git` }))
  await runClean(script, 'later', { ...variables, ORIGIN_URL: `${http.url}/origin.git` })
  await symlink(join(world.folder, 'state later', 'public'), join(world.folder, 'published', 'later'))
  await assertServes('later', 'later', false)
})
