/**
 * Goal: several maintainers, a change of key and a follower of everything work as a user runs them.
 * Method: real processes on loopback with a DHT; each user has a data folder and a key of their own.
 */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { directoryUntilExit } from '../support/temporary-directory.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'
import { PublishedWorld, type RunningPublisher } from './published-world.ts'

let world: PublishedWorld
let publisher: RunningPublisher
let owner: { id: string; publicKey: string }
let next: { id: string; publicKey: string }

before(async () => {
  world = untilFileEnds(await PublishedWorld.open(directoryUntilExit()))
  await world.startDht(12)
  await world.makeRepository('owner', 'project', 6)
  ;[owner, next] = [await world.keygen('owner'), await world.keygen('vault')]
  const backup = join(world.folder, 'next')
  await writeFile(backup, await world.run('vault', 'gittorrent', 'keys', 'export', next.id))
})

it('a delegate pushes what was delegated, readers see it, and no more than that', async () => {
  const { publicKey } = await world.keygen('delegate')
  publisher = await world.startPublisher('owner', 'project', '--delegate', `${publicKey}=refs/heads/dev/*`)
  await world.viaKey('delegate', ['clone', '--quiet', publisher.url, 'work'])
  const serving = await world.startCommand('delegate', ['follow', publisher.url])
  const tip = await world.commit('delegate', 'work', 'from the delegate')
  await world.viaKey('delegate', ['-C', 'work', 'push', '--quiet', 'origin', 'HEAD:refs/heads/dev/feature'])
  const refused = await world.gitOutcome('delegate', ['-C', 'work', 'push', '--quiet', 'origin', 'HEAD:main'])
  assert.notEqual(refused.status, 0)
  assert.match(refused.stderr, /fatal: 'refs\/heads\/main': expected a ref that is delegated/)
  await world.viaKey('reader', ['clone', '--quiet', publisher.url, 'team'])
  assert.equal(await world.git('reader', '-C', 'team', 'rev-parse', 'origin/dev/feature'), tip)
  assert.notEqual(await world.git('reader', '-C', 'team', 'rev-parse', 'origin/main'), tip)
  await serving.stop()
})

it('the publisher pushes on top of what the delegate pushed, and takes the delegation back', async () => {
  const seen = await world.git('owner', '-C', 'project', 'rev-parse', 'main')
  const { stderr } = await world.outcome('owner', 'gittorrent', [
    ...['publish', 'project', '--once', '--listen', '127.0.0.1:0', ...world.waysIn()],
    ...['--undelegate', await publicKeyOf('delegate')],
  ])
  assert.match(stderr, /2 refs signed/)
  await world.viaKey('reader', ['-C', 'team', 'fetch', '--quiet', '--prune'])
  const branches = await world.git('reader', '-C', 'team', 'for-each-ref', '--format=%(refname)', 'refs/remotes')
  assert.doesNotMatch(branches, /dev\/feature/)
  assert.equal(await world.git('reader', '-C', 'team', 'rev-parse', 'origin/main'), seen)
})

it('a key that is lost or stolen is succeeded by the one named in advance, for readers of the old URL', async () => {
  await world.run('owner', 'gittorrent', 'keys', 'import', 'next')
  const options = ['--once', '--listen', '127.0.0.1:0', ...world.waysIn()]
  await world.run('owner', 'gittorrent', 'publish', 'project', '--key', owner.id, '--next', next.id, ...options)
  await world.viaKey('reader', ['-C', 'team', 'fetch', '--quiet'])
  await publisher.stop()
  // Another machine, with nothing but the backup of the next key and a clone.
  await world.run('reborn', 'gittorrent', 'keys', 'import', 'next')
  await world.git('reborn', 'clone', '--quiet', 'project', 'saved')
  const tip = await world.commit('reborn', 'saved', 'after the loss')
  const again = await world.startPublisher(
    'reborn',
    'saved',
    '--name',
    'project',
    '--succeeds',
    owner.publicKey,
    '--revoke',
  )
  assert.equal(again.url, `gittorrent://${next.id}/project`)
  const said = await world.viaKey('reader', ['-C', 'team', 'fetch'])
  assert.match(said, new RegExp(`warning: key ${owner.id} was revoked by its holder: ${next.id} follows it`))
  assert.equal(await world.git('reader', '-C', 'team', 'rev-parse', 'origin/main'), tip)
  await again.stop()
})

it('a bare key is followed with all that its profile names, within a budget', async () => {
  await world.makeRepository('prolific', 'one', 2)
  await world.makeRepository('prolific', 'two', 2)
  const { id } = await world.keygen('prolific')
  const one = await world.startPublisher('prolific', 'one')
  const two = await world.startPublisher('prolific', 'two')
  let said = ''
  const follow = async (user: string, ...options: string[]): Promise<string[]> => {
    const args = ['follow', id, '--once', '--json', '--listen', '127.0.0.1:0', ...world.waysIn(), ...options]
    const { stdout, stderr } = await world.outcome(user, 'gittorrent', args)
    said = stderr
    const lines = stdout.split('\n').filter(Boolean)
    return lines.map((line) => JSON.parse(line).url).sort()
  }
  const all = await follow('follower')
  assert.deepEqual(all, [`gittorrent://${id}/one`, `gittorrent://${id}/two`], said)
  // The record says how large it is: what does not fit is not even begun.
  assert.deepEqual(await follow('frugal', '--budget', '1'), [])
  assert.match(said, /'one': expected at most 1 bytes, got \d+ bytes, try --budget/)
  assert.equal((await follow('frugal', '--budget', '1500')).length, 1, said)
  await Promise.all([one.stop(), two.stop()])
})

async function publicKeyOf(user: string): Promise<string> {
  const [, publicKey = ''] = (await world.run(user, 'gittorrent', 'keys')).split(' ')
  return publicKey
}

it('a backup is text that a person can read', async () => {
  assert.match(
    await readFile(join(world.folder, 'next'), 'utf8'),
    /^gittorrent secret key 1\npublic [0-9a-f]{64}\nsecret [0-9a-f]{64}$/,
  )
})
