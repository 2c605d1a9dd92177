/**
 * Bundles the executables into dist/bin with esbuild. A bundled helper starts in half the time of 150 small modules, and
 * carries the overrides of the dependency tree with it (a published package cannot impose them on who installs it).
 * Code behind import() stays in files of its own, loaded when it is needed.
 */
import { chmodSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const room = dirname(fileURLToPath(import.meta.url))
const output = join(room, '..', 'dist', 'bin')
const names = ['gittorrent', 'git-remote-gittorrent']
const entries = names.map((name) => [name, join(room, 'bin', `${name}.ts`)])

/** Workers lie beside whatever chunk starts them. Each is one file: it uses little of the chunks that it would share. */
const workers = [
  ['worker', join(room, 'build', 'worker.ts')],
  ['exact-worker', join(room, 'share', 'supply', 'exact-worker.ts')],
]

rmSync(output, { recursive: true, force: true })
const common = {
  outdir: output,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  legalComments: 'linked',
  minifySyntax: true,
  minifyWhitespace: true,
  sourcemap: 'linked',
  sourcesContent: false,
  banner: {
    js: "#!/usr/bin/env node\nimport{createRequire as createRequireForBundle}from'node:module';const require=createRequireForBundle(import.meta.url);",
  },
  logLevel: 'warning',
}
// Each by itself: what both share would lie in twice as many files, and the files cost more than the bytes.
for (const entry of entries) await build({ ...common, entryPoints: Object.fromEntries([entry]), splitting: true })
await build({ ...common, entryPoints: Object.fromEntries(workers) })
for (const name of names) chmodSync(join(output, `${name}.js`), 0o755)
