/**
 * Goal: no fuzz target finds anything in a short run, inputs that once failed included, and the driver would notice if
 * one did. Method: a fixed number of executions per target from a fixed seed, and a target with planted defects.
 * Longer: `npm run fuzz`.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CampaignThread } from '../../fuzz/driver/campaign-thread.ts'
import { regressionsOf, targetNames } from '../../fuzz/driver/target.ts'
import { whenFileEnds } from '../support/until-file-ends.ts'

/** Seeds and what once failed come first; the rest is the same in every run, and longer campaigns have gone before. */
const EXECUTION_COUNT = 200
/** No bound on a loaded machine; what hangs is found by standing still. */
const SECONDS = 600
const PLANTED = '../test/fuzz/planted'

const thread = new CampaignThread()

whenFileEnds(() => thread.end())

for (const target of targetNames()) {
  test(`${target} holds on ${EXECUTION_COUNT} inputs`, async () => {
    const report = await thread.run({ target, seed: 1, seconds: SECONDS, executionCountMax: EXECUTION_COUNT })
    const kinds = report.findings.map(({ kind, bytes }) => `${kind}: ${Buffer.from(bytes).toString('base64')}`)
    assert.deepEqual(kinds, [])
    assert(report.executionCount >= EXECUTION_COUNT && report.coveredLength > 0)
  })
}

test('the driver finds what throws and what allocates, behind words that it has to put together, and makes it small', async () => {
  const campaign = { target: PLANTED, seed: 3, seconds: SECONDS, executionCountMax: 60_000 }
  const { findings } = await thread.run(campaign)
  const found = findings.map(({ bytes }) => Buffer.from(bytes).toString('latin1')).sort()
  assert.deepEqual(found, ['abcA', 'abcT'])
})

test('every input that once failed belongs to a target', () => {
  assert(targetNames().some((name) => regressionsOf(name).length > 0))
})
