/**
 * Goal: what somebody publishes under a key can be cloned, fetched and kept alive with no origin anywhere, is what the
 * publisher signed, and can be changed by nobody else.
 * Method: real processes on loopback with thirty DHT nodes; plain git on the publisher's own repository is the oracle.
 */
import assert from 'node:assert/strict'
import type { Stats } from 'node:fs'
import { cp, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { directoryUntilExit } from '../support/temporary-directory.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'
import { PublishedWorld, type RunningPublisher } from './published-world.ts'

let world: PublishedWorld
let publisher: RunningPublisher
let key: { id: string; publicKey: string }

before(async () => {
  world = untilFileEnds(await PublishedWorld.open(directoryUntilExit()))
  await world.startDht(30)
  await world.makeRepository('owner', 'project', 40)
  key = await world.keygen('owner')
  publisher = await world.startPublisher(
    'owner',
    'project',
    '--profile-name',
    'A U Thor',
    '--profile-email',
    'a@example.org',
  )
})

const refsOf = (directory: string): Promise<string> =>
  world.git('owner', '-C', directory, 'for-each-ref', '--format=%(objectname) %(refname)', 'refs/heads', 'refs/tags')

const mirrorOf = (user: string): string =>
  join(world.folder, 'data', user, 'publishers', key.id, 'repositories', 'project.git')

async function assertClones(directory: string): Promise<void> {
  await world.git('owner', '-C', directory, 'fsck', '--full', '--strict')
  const objects = (of: string): Promise<string> =>
    world.git('owner', '-C', of, 'rev-list', '--objects', '--no-object-names', '--branches', '--tags')
  assert.deepEqual((await objects(directory)).split('\n').sort(), (await objects('project')).split('\n').sort())
}

it('the URL is the BEP 44 target of the key', () => {
  assert.equal(publisher.url, `gittorrent://${key.id}/project`)
})

it('a clone finds everything by the DHT alone, by id and by key, and has what the publisher has', async () => {
  const said = await world.viaKey('reader', ['clone', '--mirror', publisher.url, 'by-id'])
  assert.match(said, /2 refs signed by [0-9a-f]{40}, seq \d+, valid until/)
  await assertClones('by-id')
  assert.equal(await refsOf('by-id'), await refsOf('project'))
  await world.viaKey('another', ['clone', '--quiet', `gittorrent://${key.publicKey}/project.git`, 'by-key'])
  await assertClones('by-key')
  assert.equal(await world.git('reader', '-C', 'by-key', 'symbolic-ref', 'HEAD'), 'refs/heads/main')
})

it('a clone has its objects from the isolated repository without a second copy, and lives without it', async () => {
  const packsOf = (gitDir: string): string => join(world.folder, gitDir, 'objects', 'pack')
  const shared = async (folder: string): Promise<Stats[]> =>
    Promise.all(
      (await readdir(folder)).filter((name) => name.endsWith('.pack')).map((name) => stat(join(folder, name))),
    )
  const [linked, isolated] = [await shared(packsOf('by-id')), await shared(join(mirrorOf('reader'), 'objects', 'pack'))]
  const inodes = new Set(isolated.map(({ ino }) => ino))
  const copied = linked.filter(({ ino }) => !inodes.has(ino)).reduce((sum, { size }) => sum + size, 0)
  const whole = isolated.reduce((sum, { size }) => sum + size, 0)
  assert.ok(whole > 0 && copied < whole / 4, `${copied} of ${whole} bytes copied`)
  await cp(join(world.folder, 'data', 'reader'), join(world.folder, 'data', 'aside'), { recursive: true })
  await rm(join(world.folder, 'data', 'reader'), { recursive: true })
  await assertClones('by-id')
  await world.git('reader', '-C', 'by-id', 'repack', '-a', '-d', '-q')
  await assertClones('by-id')
  await cp(join(world.folder, 'data', 'aside'), join(world.folder, 'data', 'reader'), { recursive: true })
})

it('depth, single branches and ls-remote work as with any repository', async () => {
  await world.viaKey('reader', ['clone', '--quiet', '--depth=3', publisher.url, 'shallow'])
  assert.equal(await world.git('reader', '-C', 'shallow', 'rev-list', '--count', 'HEAD'), '3')
  const { stdout } = await world.gitOutcome('reader', ['ls-remote', publisher.url])
  assert.match(stdout, /refs\/tags\/v1\^\{\}/)
})

it('nothing that is not published leaves the machine, not even by its name', async () => {
  await world.git('owner', '-C', 'project', 'checkout', '--quiet', '--detach')
  const secret = await world.commit('owner', 'project', 'secret')
  await world.git('owner', '-C', 'project', 'update-ref', 'refs/private/secret', secret)
  await world.git('owner', '-C', 'project', 'checkout', '--quiet', 'main')
  await world.run('owner', 'gittorrent', 'publish', 'project', '--once', '--listen', '127.0.0.1:0', ...world.waysIn())
  const found = await world.outcome('owner', 'git', ['-C', mirrorOf('owner'), 'cat-file', '-e', secret])
  assert.notEqual(found.status, 0)
})

it('a later publication is fetched from the process that serves already', async () => {
  const tip = await world.commit('owner', 'project', 'later')
  await world.run('owner', 'gittorrent', 'publish', 'project', '--once', '--listen', '127.0.0.1:0', ...world.waysIn())
  await world.viaKey('another', ['-C', 'by-key', 'fetch', '--quiet'])
  assert.equal(await world.git('another', '-C', 'by-key', 'rev-parse', 'origin/main'), tip)
})

it('the owner pushes, the record follows, and readers see it', async () => {
  await world.viaKey('owner', ['clone', '--quiet', publisher.url, 'working'])
  const tip = await world.commit('owner', 'working', 'pushed')
  await world.git('owner', '-C', 'working', 'branch', 'topic')
  await world.viaKey('owner', ['-C', 'working', 'push', '--quiet', 'origin', 'main', 'topic'])
  await world.viaKey('another', ['-C', 'by-key', 'fetch', '--quiet'])
  assert.equal(await world.git('another', '-C', 'by-key', 'rev-parse', 'origin/topic'), tip)
  await world.viaKey('owner', ['-C', 'working', 'push', '--quiet', 'origin', ':topic'])
  await world.viaKey('another', ['-C', 'by-key', 'fetch', '--quiet', '--prune'])
  const gone = await world.outcome('another', 'git', ['-C', 'by-key', 'rev-parse', '--verify', '-q', 'origin/topic'])
  assert.notEqual(gone.status, 0)
})

it('to publish a repository that lacks what was pushed is told before it is lost', async () => {
  const again = ['publish', 'working', '--name', 'project', '--once', '--listen', '127.0.0.1:0', ...world.waysIn()]
  assert.doesNotMatch((await world.outcome('owner', 'gittorrent', again)).stderr, /warning/)
  const older = again.map((word) => (word === 'working' ? 'project' : word))
  const { stderr } = await world.outcome('owner', 'gittorrent', older)
  assert.match(stderr, /warning: 'refs\/heads\/main' loses commits that were published/)
})

it('a push that is no fast-forward is refused, and moves nothing', async () => {
  await world.git('owner', '-C', 'project', 'checkout', '--quiet', '-B', 'aside', 'HEAD~3')
  const before = await world.git('owner', '-C', mirrorOf('owner'), 'rev-parse', 'main')
  const { status, stderr } = await world.gitOutcome('owner', ['-C', 'project', 'push', publisher.url, 'aside:main'])
  assert.equal(status, 1)
  assert.match(stderr, /rejected/)
  assert.equal(await world.git('owner', '-C', mirrorOf('owner'), 'rev-parse', 'main'), before)
  await world.git('owner', '-C', 'project', 'checkout', '--quiet', 'main')
})

it('a push does what git does: force, lease, atomic, several refs, tags, dry run; each time record and repository move together', async () => {
  const push = (...args: string[]) => world.gitOutcome('owner', ['-C', 'pushing', 'push', '--porcelain', ...args])
  const here = (ref: string): Promise<string> => world.git('owner', '-C', 'pushing', 'rev-parse', ref)
  const listed = async (): Promise<Map<string, string>> => {
    const { stdout } = await world.gitOutcome('another', ['ls-remote', publisher.url])
    return new Map(stdout.split('\n').map((line) => [line.split('\t')[1] ?? '', line.split('\t')[0] ?? '']))
  }
  await world.viaKey('owner', ['clone', '--quiet', publisher.url, 'pushing'])
  const tip = await here('main')
  await world.git('owner', '-C', 'pushing', 'reset', '--quiet', '--hard', 'HEAD~1')
  const other = await world.commit('owner', 'pushing', 'other way')
  await world.git('owner', '-C', 'pushing', 'tag', 'v2')
  const before = await listed()
  const atomic = await push('--atomic', 'origin', 'main', 'v2', 'main:refs/heads/new')
  assert.equal(atomic.status, 1)
  assert.match(atomic.stdout, /!\tmain:refs\/heads\/main|atomic/)
  const stale = await push(`--force-with-lease=main:${other}`, 'origin', 'main')
  assert.match(stale.stdout, /stale info/)
  assert.equal((await push('--dry-run', '--force', 'origin', 'main')).status, 0)
  const strange = await push('origin', 'main:refs/notes/commits')
  assert.notEqual(strange.status, 0)
  assert.match(strange.stderr, /expected branches and tags, got 'refs\/notes\/commits'/)
  assert.deepEqual(await listed(), before, 'nothing of that moved anything')
  // Without --atomic, what can move does.
  const partly = await push('origin', 'main', 'v2', 'main:refs/heads/new')
  assert.equal(partly.status, 1)
  assert.deepEqual([(await listed()).get('refs/heads/main'), (await listed()).get('refs/tags/v2')], [tip, other])
  assert.equal((await push(`--force-with-lease=main:${tip}`, 'origin', 'main')).status, 0)
  assert.equal((await push('--force', 'origin', `${tip}:refs/heads/main`)).status, 0)
  assert.equal((await push('--atomic', 'origin', '--delete', 'v2', 'new')).status, 0)
  const after = await listed()
  assert.deepEqual(
    [after.get('refs/heads/main'), after.has('refs/tags/v2'), after.has('refs/heads/new')],
    [tip, false, false],
  )
  assert.equal(await world.git('owner', '-C', mirrorOf('owner'), 'rev-parse', 'main'), tip)
})

it('the first push to a name of the own key publishes it', async () => {
  const url = `gittorrent://${key.id}/fresh`
  const { status, stderr } = await world.gitOutcome('owner', ['-C', 'pushing', 'push', url, 'main'])
  assert.equal(status, 0, stderr)
  const { stdout } = await world.gitOutcome('owner', ['ls-remote', '--symref', url])
  assert.match(stdout, /ref: refs\/heads\/main\tHEAD/)
})

it("a push with somebody else's key is refused in one line", async () => {
  await world.commit('another', 'by-key', 'intrusion')
  const { status, stderr } = await world.gitOutcome('another', ['-C', 'by-key', 'push', 'origin', 'main'])
  assert.notEqual(status, 0)
  const ours = stderr.split('\n').filter((line) => line.startsWith('fatal: cannot push'))
  assert.equal(ours.length, 1, stderr)
  assert.match(ours[0] ?? '', /is not yours/)
})

it('without the publisher a follower serves, and whoever read it once can still read', async () => {
  const follower = await world.startCommand('reader', ['follow', publisher.url])
  await cp(join(world.folder, 'data', 'reader'), join(world.folder, 'data', 'old'), { recursive: true })
  await publisher.stop()
  try {
    await world.viaKey('newcomer', ['clone', '--quiet', publisher.url, 'from-follower'])
    assert.equal(
      await world.git('newcomer', '-C', 'from-follower', 'rev-parse', 'HEAD'),
      await world.git('owner', '-C', mirrorOf('owner'), 'rev-parse', 'main'),
    )
  } finally {
    await follower.stop()
  }
  await world.viaKey('newcomer', ['clone', '--quiet', publisher.url, 'from-memory'])
  assert.equal(await refsOf('from-memory'), await refsOf('from-follower'))
})

it('who lost all state but the key goes on above what the network has', async () => {
  publisher = await world.startPublisher('owner', 'project')
  const seqOf = async (user: string): Promise<number> => {
    const options = ['--once', '--json', '--listen', '127.0.0.1:0', ...world.waysIn()]
    return JSON.parse(await world.run(user, 'gittorrent', 'publish', 'project', ...options)).seq
  }
  const first = await seqOf('owner')
  await cp(join(world.folder, 'data', 'owner', 'keys'), join(world.folder, 'data', 'reborn', 'keys'), {
    recursive: true,
  })
  assert.ok((await seqOf('reborn')) > first)
})
