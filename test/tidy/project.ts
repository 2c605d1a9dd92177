/**
 * Where the project lies and what its package.json says, as far as tidy tests ask.
 * Compiled tests run from dist/test/tidy, three levels below the top.
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const projectRoot = fileURLToPath(new URL('../../../', import.meta.url))

/** Returns the text of a file of the project. */
export function readProjectFile(path: string): string {
  return readFileSync(join(projectRoot, path), 'utf8')
}

/** Returns the names of the packages that an installation brings along, or that development needs. */
export function dependencyNames(key: 'dependencies' | 'devDependencies'): string[] {
  return Object.keys(section(parseObject(readProjectFile('package.json')), key))
}

/** Parses JSON that must be an object. */
export function parseObject(text: string): Readonly<Record<string, unknown>> {
  return asObject(JSON.parse(text))
}

/** Returns an object inside an object; an empty one when it is not there. */
export function section(outer: Readonly<Record<string, unknown>>, key: string): Readonly<Record<string, unknown>> {
  return asObject(outer[key] ?? {})
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw new Error(`JSON: expected an object, got ${typeof value}`)
  return Object.fromEntries(Object.entries(value))
}
