/**
 * All commands of `gittorrent` by their names. Each is loaded when it is named, so that all start fast.
 */

import type { Command } from './command-line.ts'

export const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  seed: async () => (await import('./seed.ts')).seedCommand,
  chain: async () => (await import('./chain.ts')).chainCommand,
  export: async () => (await import('./export.ts')).exportCommand,
  daemon: async () => (await import('./daemon.ts')).daemonCommand,
  add: async () => (await import('./daemon-control.ts')).addCommand,
  remove: async () => (await import('./daemon-control.ts')).removeCommand,
  list: async () => (await import('./daemon-control.ts')).listCommand,
  status: async () => (await import('./daemon-control.ts')).statusCommand,
  stop: async () => (await import('./daemon-control.ts')).stopCommand,
  adopt: async () => (await import('./adopt.ts')).adoptCommand,
  doctor: async () => (await import('./doctor.ts')).doctorCommand,
  help: async () => (await import('./help.ts')).helpCommand,
  completion: async () => (await import('./help.ts')).completionCommand,
  publish: async () => (await import('./publish.ts')).publishCommand,
  follow: async () => (await import('./follow.ts')).followCommand,
  keygen: async () => (await import('./keygen.ts')).keygenCommand,
  keys: async () => (await import('./keygen.ts')).keysCommand,
  resolve: async () => (await import('./names.ts')).resolveCommand,
  petname: async () => (await import('./names.ts')).petnameCommand,
  scan: async () => (await import('./names.ts')).scanCommand,
  register: async () => (await import('./names.ts')).registerCommand,
  mirrors: async () => (await import('./mirrors.ts')).mirrorsCommand,
  version: async () => (await import('./version.ts')).versionCommand,
  verify: async () => (await import('./verify.ts')).verifyCommand,
}
