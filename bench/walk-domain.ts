/**
 * The domain of the walk: a DNS server (dnsmasq if it is installed, else our own) and an HTTPS server with a certificate of its
 * own, which name a key.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { WalkMachine } from './walk-machines.ts'

export const DOMAIN = 'project.example'
const HERE = dirname(fileURLToPath(import.meta.url))

function dnsmasqPath(): string | null {
  const candidates = [process.env.DNSMASQ ?? '', '/usr/sbin/dnsmasq', '/usr/local/sbin/dnsmasq']
  return candidates.find((path) => path !== '' && existsSync(path)) ?? null
}

/** Has `machine` vouch for a key, until it ends; `key <id>` to what is returned makes the web server name another one. */
export async function startDomain(
  machine: WalkMachine,
  key: { readonly id: string },
): Promise<(line: string) => Promise<void>> {
  const subject = ['-subj', `/CN=${DOMAIN}`, '-addext', `subjectAltName=DNS:${DOMAIN}`]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const files = ['-keyout', join(machine.home, 'site.key'), '-out', join(machine.home, 'site.pem')]
  execFileSync('openssl', ['req', '-x509', ...curve, ...files, ...subject], { stdio: 'ignore' })
  const dnsmasq = dnsmasqPath()
  if (dnsmasq !== null) {
    const zone = [`--address=/${DOMAIN}/${machine.host}`, `--txt-record=_gittorrent.${DOMAIN},gittorrent=${key.id}`]
    const quiet = [
      '--keep-in-foreground',
      '--conf-file=/dev/null',
      '--no-resolv',
      '--no-hosts',
      '--user=root',
      '--pid-file=',
    ]
    const listen = ['--port=53', `--listen-address=${machine.host}`, '--bind-interfaces', '--log-facility=-']
    await machine.start(/started/, dnsmasq, ...quiet, ...listen, ...zone)
  }
  process.stdout.write(`  (names: ${dnsmasq === null ? 'our own DNS server, dnsmasq is not installed' : 'dnsmasq'})\n`)
  const args = [machine.host, DOMAIN, key.id, machine.home, ...(dnsmasq === null ? [] : ['no-dns'])]
  const { child } = await machine.start(/ready/, process.execPath, join(HERE, 'walk-names.js'), ...args)
  return (line) =>
    new Promise((resolve) => {
      child.stdout?.once('data', () => resolve())
      child.stdin?.write(`${line}\n`)
    })
}
