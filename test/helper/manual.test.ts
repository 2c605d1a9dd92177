/**
 * Goal: the manual is true: commands, help, man pages, completion and service files say the same, and every example works.
 * Method: the executables against MANUAL.md and README.md; examples run as they are printed, in an empty home, with an
 * https://example.org that a proxy on loopback plays; groff and bash judge what is made for them.
 */

import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { connect, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { before, it } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { DemoWorld } from '../../bench/demo-world.ts'
import { generateRepository } from '../../bench/generate-repository.ts'
import type { Command } from '../../helper/commands/command-line.ts'
import { COMMANDS } from '../../helper/commands/commands.ts'
import { DAEMON_OPTIONS, HTTP_OPTIONS, SETTING_OPTIONS } from '../../helper/config.ts'
import { completionScript } from '../../helper/manual/completion.ts'
import { commandPage } from '../../helper/manual/man-page.ts'
import { type Manual, parseManual } from '../../helper/manual/manual.ts'
import { plain, sectionText } from '../../helper/manual/plain-text.ts'
import { isAtHand } from '../support/debian-program.ts'
import { untilFileEnds, whenFileEnds } from '../support/until-file-ends.ts'
import { projectRoot, readProjectFile } from '../tidy/project.ts'
import { startSmartHttp, type TestOrigin, writeFakeSsh } from './origin.ts'

const LINE_TIMEOUT_MS = 60_000

const manual: Manual = parseManual(readProjectFile('helper/MANUAL.md'))

let world: DemoWorld
let origin: TestOrigin
const servers: Server[] = []
const sockets = new Set<Socket>()

before(async () => {
  world = untilFileEnds(await DemoWorld.open())
  await generateRepository(join(world.folder, 'project.git'), { commitCount: 60, seed: 2 })
  origin = untilFileEnds(await startSmartHttp(world.folder))
  whenFileEnds(() => {
    for (const socket of sockets) socket.destroy()
    for (const server of servers) server.close()
  })
})

async function ours(...args: string[]): Promise<string> {
  return (await world.run('gittorrent', args)).stdout
}

it('every command is in the manual with the usage and the options that it takes itself, and no other', async () => {
  assert.deepEqual(manual.commands.map(({ name }) => name).sort(), Object.keys(COMMANDS).sort())
  const settings = Object.keys(SETTING_OPTIONS).map((name) => `--${name}`)
  const limits = Object.keys(DAEMON_OPTIONS).map((name) => `--${name}`)
  const known = new Set([...manual.commands.flatMap(({ options }) => options), ...settings, ...limits])
  for (const { name, usage, options } of manual.commands) {
    const shared = options.includes('--dht-bootstrap') ? settings : []
    const shown = new Set([...optionsOf(usage), ...shared, ...(usage.includes('<limits') ? limits : [])])
    const command = await COMMANDS[name]?.()
    assert.equal(command?.usage, usage)
    const taken = []
    for (const option of known) if (await isTaken(command, option)) taken.push(option)
    assert.deepEqual(taken.sort(), [...shown].sort(), name)
  }
})

/** The options that a usage line names. */
function optionsOf(usage: string): string[] {
  return usage.match(/--[a-z-]+/g) ?? []
}

/** Whether a command takes an option: given with one that none has, it is not the one that is complained of. */
async function isTaken(command: Command, option: string): Promise<boolean> {
  const context = {
    env: world.environment,
    signal: AbortSignal.abort(),
    printResult: () => {},
    printText: () => {},
    isTerminal: false,
  }
  for (const given of [option, `${option}=1`]) {
    const said = await command.run([given, '--no-such-option'], context).then(
      () => assert.fail(`${option} is enough`),
      (error: Error) => error.message,
    )
    if (said.startsWith("fatal: unknown option '--no-such-option'\nusage: gittorrent ")) return true
    assert.match(said, /^fatal: (unknown )?option '/)
  }
  return false
}

it('without a command the commonest ones are shown', () => {
  const { status, stdout, stderr } = spawnSync(join(world.folder, 'bin', 'gittorrent'))
  assert.deepEqual([status, stdout.toString()], [129, ''])
  assert.match(stderr.toString(), /^usage: gittorrent <command> /)
  const shown = stderr.toString().match(/(?<=^ {4})[a-z]+(?= +\S)/gm) ?? []
  assert.deepEqual(shown, ['seed', 'export', 'publish', 'daemon', 'add', 'status', 'doctor', 'help'])
})

it('the version is that of the package', async () => {
  const { version } = JSON.parse(readProjectFile('package.json'))
  for (const how of ['version', '--version', '-v'])
    assert.ok((await ours(how)).startsWith(`gittorrent version ${version} (Node `))
  await assert.rejects(ours('version', 'of'), /usage: gittorrent version/)
})

it('every option and setting of the code is in the manual', () => {
  const text = readProjectFile('helper/MANUAL.md')
  for (const name of [SETTING_OPTIONS, HTTP_OPTIONS, DAEMON_OPTIONS].flatMap((group) => Object.keys(group))) {
    assert.ok(text.includes(`--${name}`), name)
    const camel = name.replace(/^no-/, '').replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
    assert.ok(text.includes(`\`gittorrent.${camel}\``), camel)
    assert.ok(text.includes(`GITTORRENT_${name.replace(/^no-/, '').toUpperCase().replaceAll('-', '_')}`), name)
  }
})

it('help shows every command and topic, and every sentence of the sections', async () => {
  const overview = await ours('help')
  for (const { name } of manual.commands) assert.match(overview, new RegExp(`^ +${name} `, 'm'))
  const flat = (text: string): string => plain(text).replace(/\s+/g, ' ')
  for (const section of manual.sections) {
    if (section.name !== 'commands') assert.match(overview, new RegExp(`^ +${section.name}$`, 'm'))
    const shown = flat(sectionText(section))
    for (const block of section.blocks) {
      const parts = block.kind === 'table' ? block.rows.flat() : block.kind === 'example' ? block.lines : [block.text]
      for (const part of parts) assert.ok(shown.includes(flat(part)), part)
    }
  }
  assert.ok((await ours('help', 'exit-status')).startsWith('Exit status\n'))
  await assert.rejects(ours('help', 'nothing'), /gittorrent help/)
})

it('man pages format without a warning and hold every option', async () => {
  const render = (page: string): string => {
    const { status, stdout, stderr } = spawnSync('groff', ['-man', '-Tascii', '-P-cbou', '-ww'], { input: page })
    assert.deepEqual([status, stderr.toString()], [0, ''])
    return stdout.toString().replace(/-\n +/g, '-')
  }
  assert.match(render(await ours('help', '--man')), /NAME\s+gittorrent - git clone through swarms/)
  for (const command of manual.commands) {
    const { name, usage } = command
    const page = render(commandPage(command, '1.0')).replace(/\s+/g, ' ')
    for (const option of usage.match(/--[a-z-]+/g) ?? []) assert.ok(page.includes(option), `${name} ${option}`)
  }
})

it('bash completes commands, options, topics and files', async () => {
  const script = await ours('completion', 'bash')
  writeFileSync(join(world.folder, 'completion.bash'), script)
  const complete = (...words: string[]): string[] => {
    const line = `source ./completion.bash; COMP_WORDS=(gittorrent ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _gittorrent; printf '%s\\n' "\${COMPREPLY[@]}"`
    return execFileSync('bash', ['-c', line], { cwd: world.folder }).toString().trim().split('\n')
  }
  assert.deepEqual(complete('st').sort(), ['status', 'stop'])
  assert.deepEqual(complete('add', '--l'), ['--local-branches'])
  assert.ok(complete('seed', '--').includes('--dht-bootstrap') && complete('daemon', '--').includes('--disk-limit'))
  assert.ok(complete('publish', '--').includes('--dht-bootstrap') && complete('follow', '--').includes('--listen'))
  assert.ok(!complete('status', '--').includes('--dht-bootstrap'))
  assert.deepEqual(complete('help', 'exit'), ['exit-status'])
  assert.deepEqual(complete('add', 'project'), ['project.git'])
})

const ZSH = { name: 'zsh', packageName: 'zsh', probe: ['zsh', '-fc', 'true'] }
const FISH = { name: 'fish', packageName: 'fish', probe: ['fish', '--no-config', '-c', 'true'] }

/**
 * What the completion says to zsh for the words after `--`, the last of which is at hand: zsh reads and runs it, with its own builtin for
 * candidates and its functions for descriptions and files, which need a terminal, replaced by some that print.
 */
const ZSH_WITHOUT_A_TERMINAL = `
compdef() { }
compadd() { [[ $1 == -- ]] || exit 1; shift; print -rl -- "$@" }
_describe() { print -rl -- "\${(@P)2}" }
_files() { print -r -- files }
source ./completion.zsh
words=("$@")
CURRENT=$#
_gittorrent
`

it('zsh completes commands, options, topics and files', async (t) => {
  writeFileSync(join(world.folder, 'completion.zsh'), completionScript(manual, 'zsh'))
  if (!(await isAtHand(ZSH, t))) return
  const complete = (...words: string[]): string[] => {
    const args = ['-fc', ZSH_WITHOUT_A_TERMINAL, 'zsh', ...words]
    const said = execFileSync('zsh', args, { cwd: world.folder, env: world.environment })
    return said.toString().trim().split('\n')
  }
  const commands = complete('gittorrent', 'st')
  assert.ok(commands.includes("status:how the daemon's repositories and publications are"), commands.join('\n'))
  const options = ['--budget', '--json', '--local-branches', '--origin', '--remote']
  assert.deepEqual(complete('gittorrent', 'add', '--'), options)
  assert.ok(complete('gittorrent', 'help', 'exit').includes('exit-status'))
  assert.deepEqual(complete('gittorrent', 'completion', ''), ['bash', 'zsh', 'fish'])
  assert.deepEqual(complete('gittorrent', 'add', 'proj'), ['files'])
})

it('fish completes commands, options, topics and files', async (t) => {
  writeFileSync(join(world.folder, 'completion.fish'), completionScript(manual, 'fish'))
  if (!(await isAtHand(FISH, t))) return
  const complete = (line: string): string[] => {
    const script = 'source ./completion.fish; complete -C $argv[1]'
    const said = execFileSync('fish', ['--no-config', '-c', script, line], {
      cwd: world.folder,
      env: world.environment,
    })
    const shown = said.toString().trim().split('\n')
    return shown.map((entry) => entry.split('\t')[0] ?? '')
  }
  assert.deepEqual(complete('gittorrent st').sort(), ['status', 'stop'])
  assert.deepEqual(complete('gittorrent add --l'), ['--local-branches'])
  assert.ok(complete('gittorrent seed --').includes('--dht-bootstrap'))
  assert.ok(!complete('gittorrent status --').includes('--dht-bootstrap'))
  assert.deepEqual(complete('gittorrent help exit'), ['exit-status'])
  assert.deepEqual(complete('gittorrent add proj'), ['project.git/'])
})

it('the service files start the daemon', () => {
  const unit = readProjectFile('helper/service/gittorrent.service')
  assert.match(unit, /^ExecStart=\/usr\/bin\/env gittorrent daemon$/m)
  assert.match(unit, /^WantedBy=default\.target$/m)
  const sections = unit.split('\n').filter((line) => line.startsWith('['))
  assert.deepEqual(sections, ['[Unit]', '[Service]', '[Install]'])
  const stop = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1])
  assert.ok(stop > 3, 'systemd gives the daemon the time that it takes')
  const plist = readProjectFile('helper/service/org.gittorrent.daemon.plist')
  assert.match(plist, /<key>Label<\/key>\s*<string>org\.gittorrent\.daemon<\/string>/)
  const [, args = ''] = /<key>ProgramArguments<\/key>\s*<array>([\s\S]*?)<\/array>/.exec(plist) ?? []
  assert.deepEqual(args.match(/(?<=<string>)[^<]*/g), ['/usr/bin/env', 'gittorrent', 'daemon'])
  const opened = plist.match(/<(dict|array|string|key|plist|integer)[ >]/g) ?? []
  assert.equal(opened.length, (plist.match(/<\/(dict|array|string|key|plist|integer)>/g) ?? []).length)
})

/**
 * Examples that are not run here: the package manager inside itself, the machine's own service manager, and what needs a
 * publisher, an exported folder on a web server or an address of a farm, which the tests of publishing, exporting and serving
 * bring along.
 */
const NOT_RUN = [
  /^npm /,
  /^systemctl /,
  /^launchctl /,
  /<id>/,
  /^gittorrent (keygen|publish) ?/,
  /=https:\/\/cdn\.example\.org\//,
  /http:\/\/10\.0\.0\.5/,
]

interface Example {
  readonly document: string
  readonly lines: readonly string[]
}

function examples(): Example[] {
  return ['README.md', 'helper/MANUAL.md'].flatMap((document) =>
    [...readProjectFile(document).matchAll(/^```\n([\s\S]*?)^```/gm)].map(([, text = '']) => ({
      document,
      lines: text.split('\n').filter((line) => line !== ''),
    })),
  )
}

/** A proxy that answers for https://example.org with the repositories of the world. */
async function startExampleOrg(): Promise<string> {
  const key = join(world.folder, 'key.pem')
  const certificate = join(world.folder, 'certificate.pem')
  const subject = ['-subj', '/CN=example.org', '-days', '2', '-nodes']
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-keyout', key, '-out', certificate, ...subject], {
    stdio: 'ignore',
  })
  const backend = new URL(origin.url)
  const tls = createTlsServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (socket) => {
    socket
      .pipe(connect(Number(backend.port), backend.hostname))
      .on('error', () => {})
      .pipe(socket)
    socket.on('error', () => {})
  })
  const proxy = createHttpServer().on('connect', (request, socket) => {
    if (request.url !== 'example.org:443') return void socket.end('HTTP/1.1 502 Nobody\r\n\r\n')
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    socket
      .pipe(connect(portOf(tls), '127.0.0.1'))
      .on('error', () => {})
      .pipe(socket)
    socket.on('error', () => {})
  })
  for (const server of [tls, proxy]) {
    server.on('connection', (socket: Socket) => sockets.add(socket))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    servers.push(server)
  }
  return `http://127.0.0.1:${portOf(proxy)}`
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

it('every example of README and manual works as it is printed', async () => {
  const proxy = await startExampleOrg()
  const ssh = await writeFakeSsh(world.folder)
  let count = 0
  for (const { document, lines } of examples()) {
    const folder = join(world.folder, `example-${count++}`)
    const home = join(folder, 'home')
    for (const path of [
      '.config/systemd/user',
      'Library/LaunchAgents',
      '.local/share/bash-completion/completions',
      '.local/share/man/man1',
    ])
      mkdirSync(join(home, path), { recursive: true })
    const settings = `[http]\n\tproxy = ${proxy}\n\tsslVerify = false\n[core]\n\tsshCommand = ${ssh}\n[gittorrent]\n\tdht = false\n\tlisten = 127.0.0.1:0\n`
    writeFileSync(join(home, '.gitconfig'), settings)
    cpSync(join(world.folder, 'project.git'), join(folder, 'project.git'), { recursive: true })
    cpSync(join(projectRoot, 'helper', 'service'), join(folder, 'helper', 'service'), { recursive: true })
    for (const line of lines) {
      if (NOT_RUN.some((pattern) => pattern.test(line))) continue
      await runExample(line, folder, home, document)
    }
  }
  assert.ok(count >= 12)
})

it('a command that cannot begin says so in one line', async () => {
  const line = 'git init -q lonely && gittorrent seed lonely'
  const { status, said } = await runLine(line, world.folder, world.environment)
  assert.equal(status, 129)
  assert.match(said, /^fatal: expected an origin of '.*lonely', got no remote 'origin', try --origin <URL>\n$/)
})

async function runExample(line: string, folder: string, home: string, document: string): Promise<void> {
  const isClone = /^git (-c \S+ )?clone /.test(line)
  if (isClone) rmSync(join(folder, 'project'), { recursive: true, force: true })
  const needsProject = /project\/?( |$)/.test(line) && !isClone
  const env = { ...world.environment, HOME: home }
  if (needsProject && !existsSync(join(folder, 'project'))) {
    const { status, said } = await runLine('git clone -q gittorrent::https://example.org/project.git', folder, env)
    assert.equal(status, 0, said)
  }
  const serves = /^gittorrent (seed|daemon|publish)/.test(line)
  // What serves until it is stopped has worked once it says so.
  const command = serves ? `exec ${line.replace(/#.*/, '')}` : line
  const { status, said } = await runLine(command, folder, env, serves ? /seeding on|gittorrent:\/\/[0-9a-f]{40}/ : null)
  assert.equal(status, 0, `${document}: ${line}\n${said}`)
  if (isClone) assert.equal((await runLine('git -C project fsck', folder, env)).status, 0, line)
}

/** Runs a line in a shell to its end, or until it says something, which then counts as status 0. */
async function runLine(
  line: string,
  cwd: string,
  env: NodeJS.ProcessEnv,
  until: RegExp | null = null,
): Promise<{ status: number | null; said: string }> {
  const child = spawn('bash', ['-c', `exec 2>&1; ${line}`], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: LINE_TIMEOUT_MS,
  })
  let said = ''
  let hasServed = false
  child.stdout.on('data', (chunk: Uint8Array) => {
    said += Buffer.from(chunk).toString()
    if (until?.test(said) !== true) return
    hasServed = true
    child.kill()
  })
  const [status] = await once(child, 'close')
  return { status: hasServed ? 0 : status, said }
}
