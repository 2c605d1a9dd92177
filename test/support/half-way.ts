// A test file whose beginning fails half way, as a program for until-file-ends.test.ts:
// what it opened first would keep it from ending.
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { before, it } from 'node:test'
import { LOOPBACK } from './loopback-net.ts'
import { untilFileEnds, whenFileEnds } from './until-file-ends.ts'

let opened: { close(): unknown } | undefined

async function listening(): Promise<Server> {
  const server = createServer().listen(LOOPBACK)
  await once(server, 'listening')
  return server
}

before(async () => {
  untilFileEnds(await listening())
  whenFileEnds(() => console.log('ended: the second'))
  whenFileEnds(() => {
    throw new Error('the third does not end')
  })
  whenFileEnds(() => console.log('ended: the last'))
  throw new Error(`half way, with ${opened}`)
})

it('is not reached', () => {})
