/**
 * Fuzz target of requests on the daemon's socket. Nothing may be thrown; the answer is one line of JSON, whatever was asked.
 */

import { reply } from '../../helper/daemon/control-socket.ts'

export async function fuzz(bytes: Uint8Array): Promise<void> {
  const line = await reply(Buffer.from(bytes).toString('utf8'), async ({ command, path }) => {
    if (typeof path !== 'string') throw new Error(`expected a path, got ${JSON.stringify(path)} for ${String(command)}`)
    return { command, path }
  })
  if (line.indexOf('\n') !== line.length - 1) throw new Error('more than one line')
  if (typeof JSON.parse(line).ok !== 'boolean') throw new Error('no answer')
}

export function seeds(): Uint8Array[] {
  const requests = [{ command: 'status' }, { command: 'add', path: '/x\n', origin: null }, null, [1], 'x']
  return requests.map((request) => Buffer.from(JSON.stringify(request)))
}

export const dictionary = ['{', '}', '[', ']', '"', ':', ',', 'null', '"command":', '"path":', '"__proto__":', '\\n']
