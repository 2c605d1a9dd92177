/**
 * Goal: an exported folder on a web server is a source by itself, whatever the server's manners; nothing that a server does makes a
 * clone wrong, or keeps it waiting without end.
 * Method: real clones and fetches through the helper with no peer at all, from web servers of this process that are good, old,
 * moved, broken, slow or lying; compared with plain clones; bytes as the helper counts them.
 */

import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { generateRepository } from '../../bench/generate-repository.ts'
import type { StaticServer, StaticServerOptions } from '../../bench/static-server.ts'
import { FolderScene, NO_PEERS } from '../support/folder-scene.ts'
import { untilFileEnds } from '../support/until-file-ends.ts'

let scene: FolderScene

before(async () => {
  scene = untilFileEnds(await FolderScene.open())
})

/** True for what says what there is, and is no payload itself. */
function isDocument(path: string | undefined): boolean {
  return path === '/manifest.json' || path?.endsWith('.torrent') === true
}

it('a clone takes each link with one request and a tenth or less from the origin', async () => {
  await scene.withServer({}, async (server) => {
    const { bytes } = await scene.cloneFrom('clone', `${server.url}/manifest.json`)
    await scene.assertEqualToPlain('clone')
    assert.ok(bytes.web > 9 * bytes.origin && bytes.peers === 0, JSON.stringify(bytes))
    const asked = server.requests.map((request) => request.split(' ')[1])
    assert.equal(new Set(asked).size, asked.length)
    assert.equal(asked[0], '/manifest.json')
  })
})

it('the URL of the folder does as well, and what was taken can be seeded on', async () => {
  await scene.withServer({}, async (server) => {
    const { bytes } = await scene.cloneFrom('clone-of-folder', `${server.url}/`)
    assert.ok(bytes.web > 9 * bytes.origin)
  })
  const { stdout } = await scene.world.run('gittorrent', ['chain', 'clone-of-folder', '--json'])
  const expected = await scene.world.run('gittorrent', ['chain', 'origin.git', '--json'])
  // The list of stored snapshots is the one thing that is not the same everywhere.
  const ours = { ...JSON.parse(stdout), snapshots: [] }
  assert.deepEqual(ours, { ...JSON.parse(expected.stdout), snapshots: [] })
})

it('a server without ranges, without lengths', async () => {
  await scene.withServer({ ranges: false }, async (server) => {
    const { bytes } = await scene.cloneFrom('no-ranges', `${server.url}/manifest.json`)
    await scene.assertEqualToPlain('no-ranges')
    assert.ok(bytes.web > 9 * bytes.origin)
  })
})

it('the limit of downloads holds for what comes from a web seed', async () => {
  await scene.withServer({}, async (server) => {
    const limit = 400_000
    const startMs = performance.now()
    const settings = [...NO_PEERS, `gittorrent.webseed=${server.url}/`, `gittorrent.downloadLimit=${limit}`]
    const { bytes } = await scene.world.viaSwarm(['clone', '--quiet', scene.url, 'limited'], settings)
    const leastMs = ((bytes.web - limit / 10) * 1000) / limit
    assert.ok(performance.now() - startMs >= leastMs, JSON.stringify({ leastMs, bytes }))
  })
})

it('redirects are followed, to another server too, which does not learn the password', async () => {
  await scene.withServer({}, async (target) => {
    const secrets: unknown[] = []
    const intercept: StaticServerOptions['intercept'] = (request, response) => {
      secrets.push(request.headers.authorization)
      response.writeHead(302, { location: `${target.url}${request.url}` }).end()
      return true
    }
    await scene.withServer({ intercept }, async (server) => {
      const withPassword = server.url.replace('//', '//user:secret@')
      const { bytes, trace } = await scene.cloneFrom('redirected', `${withPassword}/manifest.json`)
      await scene.assertEqualToPlain('redirected')
      assert.ok(bytes.web > 9 * bytes.origin)
      assert.equal(new Set(secrets).size, 1)
      assert.equal(secrets[0], `Basic ${Buffer.from('user:secret').toString('base64')}`)
      assert.doesNotMatch(trace, /:secret@/)
    })
  })
})

it('a clone of depth 1 builds on the snapshot of the folder', async () => {
  for (const [name, options] of [
    ['shallow', {}],
    ['shallow-no-ranges', { ranges: false }],
  ] as const) {
    await scene.withServer(options, async (server) => {
      const settings = [...NO_PEERS, `gittorrent.webseed=${server.url}/manifest.json`]
      const { bytes, trace } = await scene.world.viaSwarm(
        ['clone', '--quiet', '--depth', '1', scene.url, name],
        settings,
      )
      assert.ok(bytes.web > 2 * bytes.origin, JSON.stringify(bytes))
      assert.match(trace, /snapshot [0-9a-f]{40} of/)
    })
    const plain = `plain-${name}`
    await scene.world.git('clone', '--quiet', '--depth', '1', scene.world.originUrl('origin.git'), plain)
    for (const args of [
      ['for-each-ref'],
      ['rev-list', '--objects', '--no-object-names', '--all'],
      ['rev-parse', '--is-shallow-repository'],
    ])
      assert.equal(await scene.world.git('-C', name, ...args), await scene.world.git('-C', plain, ...args))
    await scene.world.git('-C', name, 'fsck', '--full', '--no-progress')
  }
})

it('a snapshot goes on where the connection broke, and one with changed bytes is not taken', async () => {
  let breaks = 2
  const breaking: StaticServerOptions['intercept'] = (request, response) => {
    if (!request.url?.endsWith('.pack') || breaks-- <= 0) return false
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
    void readFile(join(scene.world.folder, 'public', request.url)).then((bytes) => {
      const range = `bytes ${start}-${bytes.length - 1}/${bytes.length}`
      response.writeHead(206, { 'content-length': bytes.length - start, 'content-range': range })
      response.write(bytes.subarray(start, start + (bytes.length >> 2)), () => response.socket?.end())
    })
    return true
  }
  const shallow = (server: StaticServer, name: string) =>
    scene.world.viaSwarm(
      ['clone', '--quiet', '--depth', '1', scene.url, name],
      [...NO_PEERS, `gittorrent.webseed=${server.url}/`],
    )
  await scene.withServer({ intercept: breaking }, async (server) => {
    const { bytes } = await shallow(server, 'shallow-breaking')
    assert.ok(bytes.web > 2 * bytes.origin, JSON.stringify(bytes))
    const asked = server.requests.filter((request) => /\.pack\b(?!\.torrent)/.test(request))
    assert.equal(asked.length, 3)
    const starts = asked.map((request) => Number(/bytes=(\d+)-/.exec(request)?.[1] ?? 0))
    assert.ok((starts[0] ?? 1) < (starts[1] ?? 0) && (starts[1] ?? 0) < (starts[2] ?? 0), asked.join('\n'))
  })
  const lying: StaticServerOptions['intercept'] = (request, response) => {
    if (!request.url?.endsWith('.pack')) return false
    void readFile(join(scene.world.folder, 'public', request.url)).then((bytes) => {
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
      response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
    })
    return true
  }
  await scene.withServer({ intercept: lying }, async (server) => {
    const { trace } = await shallow(server, 'shallow-lied-to')
    assert.match(trace, /\d+ bytes at \d+ as claimed, got other bytes/)
    await scene.world.git('-C', 'shallow-lied-to', 'fsck', '--full', '--no-progress')
  })
})

it('with a key that is known only what it signed is taken, and anything else is told in one line', async () => {
  const newKey = async (): Promise<string> =>
    JSON.parse((await scene.world.run('gittorrent', ['keygen', '--json'])).stdout)[0].publicKey
  const [ours, another] = [await newKey(), await newKey()]
  const origin = ['--origin', scene.world.originUrl('origin.git')]
  await scene.exportTo('signed', ...origin, '--key', ours)
  const take = (folder: string, name: string, key: string) =>
    scene.withServer(
      {},
      (server) => {
        const keys = [`gittorrent.webseedKey=${key}`, `gittorrent.webseed=${server.url}/manifest.json`]
        return scene.world.viaSwarm(['clone', '--quiet', scene.url, name], [...NO_PEERS, ...keys])
      },
      folder,
    )
  const good = await take('signed', 'by-known-key', ours)
  assert.ok(good.bytes.web > 9 * good.bytes.origin)
  const id = JSON.parse((await scene.world.run('gittorrent', ['keys', '--json'])).stdout).find(
    ({ publicKey }: { publicKey: string }) => publicKey === ours,
  ).id
  assert.ok((await take('signed', 'by-known-id', id)).bytes.web > 0)
  await mkdir(join(scene.world.folder, 'tampered'))
  const signed = await readFile(join(scene.world.folder, 'signed', 'manifest.json'), 'utf8')
  await writeFile(join(scene.world.folder, 'tampered', 'manifest.json'), signed.replace('"clock": 1', '"clock": 2'))
  for (const [folder, key, got] of [
    ['signed', another, /expected a signature of a key in gittorrent.webseedKey, got one of/],
    ['public', ours, /got none/],
    ['tampered', ours, /expected a good signature of/],
  ] as const) {
    const { bytes, stderr } = await take(folder, `refused ${folder}`, key)
    assert.equal(bytes.web, 0)
    const lines = stderr.split('\n').filter((line) => line.includes('is not used'))
    assert.equal(lines.length, 1)
    assert.match(lines[0] ?? '', got)
    await scene.assertEqualToPlain(`refused ${folder}`)
  }
})

it('a redirect in circles costs nothing but the web seed', async () => {
  let count = 0
  const intercept: StaticServerOptions['intercept'] = (request, response) => {
    count++
    response.writeHead(301, { location: `${request.url}?again` }).end()
    return true
  }
  await scene.withServer({ intercept }, async (server) => {
    const { bytes, trace } = await scene.cloneFrom('circles', `${server.url}/manifest.json`)
    assert.equal(bytes.web, 0)
    assert.match(trace, /at most 5 redirects/)
    assert.equal(count, 6)
  })
  await scene.assertEqualToPlain('circles')
})

it('a connection that breaks again and again is taken up where it ended', async () => {
  const root = join(scene.world.folder, 'public')
  const intercept: StaticServerOptions['intercept'] = (request, response) => {
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? Number.NaN)
    if (Number.isNaN(start)) return false
    void readFile(join(root, request.url ?? '')).then((bytes) => {
      const part = bytes.subarray(start, start + 200_000)
      const range = `bytes ${start}-${bytes.length - 1}/${bytes.length}`
      response.writeHead(206, { 'content-length': bytes.length - start, 'content-range': range })
      response.write(part, () => response.socket?.end())
    })
    return true
  }
  await scene.withServer({ intercept }, async (server) => {
    const { bytes, trace } = await scene.cloneFrom('breaking', `${server.url}/manifest.json`)
    await scene.assertEqualToPlain('breaking')
    assert.ok(bytes.web > 9 * bytes.origin, trace)
  })
})

it('a server that stalls is left for the next web seed', async () => {
  const intercept: StaticServerOptions['intercept'] = (request, response) => {
    if (isDocument(request.url)) return false
    response.writeHead(206, { 'content-range': (request.headers.range ?? '').replace('=', ' ').concat('/*') })
    response.flushHeaders()
    return true
  }
  await scene.withServer({ intercept }, (stalling) =>
    scene.withServer({}, async (good) => {
      const { bytes } = await scene.cloneFrom('stalling', `${stalling.url}/manifest.json`, `${good.url}/manifest.json`)
      await scene.assertEqualToPlain('stalling')
      assert.ok(bytes.web > 9 * bytes.origin, JSON.stringify(bytes))
    }),
  )
})

it('changed bytes are refused before git sees them, and come from the origin', async () => {
  const intercept: StaticServerOptions['intercept'] = (request, response) => {
    if (isDocument(request.url)) return false
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
    void readFile(join(scene.world.folder, 'public', request.url ?? '')).then((bytes) => {
      const part = Buffer.from(bytes.subarray(start))
      part[part.length >> 2] = (part[part.length >> 2] ?? 0) ^ 1
      response.writeHead(206, { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }).end(part)
    })
    return true
  }
  await scene.withServer({ intercept }, async (server) => {
    const { trace } = await scene.cloneFrom('lied-to', `${server.url}/manifest.json`)
    await scene.assertEqualToPlain('lied-to')
    assert.match(trace, /expected \d+ bytes at \d+ as claimed, got other bytes/)
    assert.doesNotMatch(trace, /pack refused/)
  })
})

const BAD_MANIFESTS: Readonly<Record<string, (manifest: string) => string>> = {
  'no JSON': () => 'not found, but with status 200',
  'another version': (manifest) => manifest.replace('"version": 2', '"version": 3'),
  'file names that lead elsewhere': (manifest) => manifest.replaceAll('"file":"gt1-', '"file":"../gt1-'),
  'lengths that do not add up': (manifest) => manifest.replace(/"bytes":\d+,"sha256"/, '"bytes":7,"sha256"'),
  'links that do not end at a checkpoint': (manifest) => manifest.replaceAll(/gt1-[0-9a-f]{8}/g, 'gt1-11111111'),
  'segments that are cut off': (manifest) => manifest.replace(/"segments":"[^"]{96}/, '"segments":"'),
  'lists of 100,000 lists': (manifest) =>
    manifest.replace('"chains": [', `"chains": [${'['.repeat(1e5)}${']'.repeat(1e5)},`),
}

for (const [name, change] of Object.entries(BAD_MANIFESTS)) {
  it(`a manifest with ${name} leaves everything to the origin`, async () => {
    const folder = `bad ${name}`
    await mkdir(join(scene.world.folder, folder))
    const manifest = await readFile(join(scene.world.folder, 'public', 'manifest.json'), 'utf8')
    await writeFile(join(scene.world.folder, folder, 'manifest.json'), change(manifest))
    const taken = (server: StaticServer) => scene.cloneFrom(`clone ${name}`, `${server.url}/manifest.json`)
    const { bytes, trace } = await scene.withServer({}, taken, folder)
    assert.equal(bytes.web, 0)
    assert.match(trace, /expected/)
    await scene.assertEqualToPlain(`clone ${name}`)
  })
}

it('a manifest without end is not read to its end', async () => {
  const intercept: StaticServerOptions['intercept'] = (_, response) => {
    const block = Buffer.alloc(1 << 20, ' ')
    const more = (): void => {
      while (response.writable && response.write(block));
    }
    response.on('drain', more)
    more()
    return true
  }
  await scene.withServer({ intercept }, async (server) => {
    const { trace } = await scene.cloneFrom('endless', `${server.url}/manifest.json`)
    assert.match(trace, /web seed: expected at most/)
  })
  await scene.assertEqualToPlain('endless')
})

it('a folder of another repository is not taken for this one, although a branch has the same name', async () => {
  await generateRepository(join(scene.world.folder, 'other.git'), { commitCount: 150, seed: 22 })
  await scene.world.run('gittorrent', [
    'export',
    'other.git',
    '--out',
    'other',
    '--origin',
    'https://example.org/other.git',
  ])
  const taken = (server: StaticServer) => scene.cloneFrom('not-other', `${server.url}/manifest.json`)
  const { bytes, trace } = await scene.withServer({}, taken, 'other')
  assert.equal(bytes.web, 0)
  assert.match(trace, /does not say that it is of this origin/)
  await scene.assertEqualToPlain('not-other')
})

it('a fetch takes only what is lacking, from servers with and without ranges', async () => {
  const commits = Array.from({ length: 150 }, (_, index) => {
    const content = `${index}\n`.repeat(300 + index)
    const head = ['commit refs/heads/main', `committer T <t@example.org> ${1_700_000_000 + index} +0000`, 'data 1', 'x']
    const from = index === 0 ? ['from refs/heads/main^0'] : []
    return [...head, ...from, `M 100644 inline g${index % 5}`, `data ${content.length}`, content]
  })
  await scene.world.run('git', ['-C', 'origin.git', 'fast-import', '--quiet'], {
    input: `${commits.flat().join('\n')}\n`,
  })
  await scene.exportTo('public')
  await scene.world.git('-C', 'plain', 'fetch', '--quiet')
  for (const [directory, ranges] of [
    ['clone', true],
    ['no-ranges', false],
  ] as const) {
    await scene.withServer({ ranges }, async (server) => {
      const settings = [...NO_PEERS, `gittorrent.webseed=${server.url}/manifest.json`]
      const { bytes } = await scene.world.viaSwarm(['-C', directory, 'fetch', '--quiet'], settings)
      await scene.assertEqualToPlain(directory)
      assert.ok(bytes.web > 0, JSON.stringify(bytes))
    })
  }
})
