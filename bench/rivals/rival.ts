/**
 * What every way to a whole repository has in bench:rivals, and what several of them need: the bundle of all refs, free ports.
 */

import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import type { DemoWorld } from '../demo-world.ts'

export interface Rival {
  readonly way: string
  /** Why it cannot run, with what was tried; null if it can. */
  missing(): Promise<string | null>
  /** Gets the serving side ready, once. */
  prepare(): Promise<void>
  /** Gets ready for one run and returns the command. */
  before(): Promise<string>
  after(): Promise<void>
  close(): Promise<void>
}

/** A program from Debian's archive, and words that fail unless it is there. */
export interface Program {
  readonly name: string
  readonly packageName: string
  readonly probe: readonly string[]
}

export const BUNDLE = 'all.bundle'
export const CLONE_BUNDLE = `git clone --quiet --mirror got/${BUNDLE} target.git`
export const nothing = async (): Promise<void> => {}
export const isReady = async (): Promise<null> => null

/** Why a program that does not answer is left out. */
export function lacking({ name, packageName }: Program): string {
  return `no ${name}; tried to run it, --install gets the package ${packageName}`
}

/** `git bundle create --all`, once. */
export async function makeBundle(world: DemoWorld): Promise<void> {
  if (!existsSync(join(world.folder, BUNDLE)))
    await world.git('-C', 'origin.git', 'bundle', 'create', '--quiet', join(world.folder, BUNDLE), '--all')
}

export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Resolves when somebody listens. */
export async function accepts(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const socket = connect(port, '127.0.0.1')
    const isUp = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    socket.destroy()
    if (isUp) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`port ${port}: expected a listener, got none`)
}
