/**
 * Goal: what a test file opened before its beginning failed is ended, and the file with it.
 * Method: such a file in a process of its own, with a server that nobody else would close, and one end that throws.
 */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

test('a beginning that fails half way ends what it opened, the newest first, whatever else cannot be ended', () => {
  const file = fileURLToPath(new URL('./half-way.js', import.meta.url))
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env
  const options = { env: environment, encoding: 'utf8', timeout: 60_000 } as const
  const { status, stdout } = spawnSync(process.execPath, ['--test', '--test-reporter=tap', file], options)
  assert.equal(status, 1, stdout)
  assert.match(stdout, /ended: the last[\s\S]*ended: the second[\s\S]*half way, with undefined/)
  assert.match(stdout, /the third does not end/)
})
