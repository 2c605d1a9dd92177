/**
 * What a walk prints and counts: scenes, claims that hold or do not, and waiting for what comes in its own time.
 */

const WAIT_TIMEOUT_MS = 180_000
const LOOK_INTERVAL_MS = 500

export const results: { scene: string; claim: string; holds: boolean }[] = []
let scene = ''

export function open(name: string): void {
  scene = name
  process.stdout.write(`\n${name}\n`)
}

export function check(claim: string, holds: boolean, why = ''): void {
  results.push({ scene, claim, holds })
  process.stdout.write(`  ${holds ? 'yes' : 'NO '}  ${claim}${holds || why === '' ? '' : `\n       ${why.trim()}`}\n`)
}

export async function until<T>(what: string, find: () => Promise<T>, isWanted: (found: T) => boolean): Promise<T> {
  for (const deadlineMs = performance.now() + WAIT_TIMEOUT_MS; ; ) {
    const found = await find()
    if (isWanted(found)) return found
    if (performance.now() > deadlineMs) throw new Error(`expected ${what}, got ${JSON.stringify(found)}`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS))
  }
}
