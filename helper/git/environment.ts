/**
 * The environment of every git that we start to read a repository: nothing that a user's shell can set may change what
 * an object, a commit's parents or a name is (FORMAT.md, "Reading objects"). Of git's own variables only those stay that
 * say where git and its configuration files are and how a repository is found; the rest, among them all that
 * `git rev-parse --local-env-vars` lists, speaks of another repository or of what people like to see.
 */

const KEPT = new Set([
  'GIT_EXEC_PATH',
  'GIT_CONFIG_GLOBAL',
  'GIT_CONFIG_SYSTEM',
  'GIT_CONFIG_NOSYSTEM',
  'GIT_CEILING_DIRECTORIES',
  'GIT_DISCOVERY_ACROSS_FILESYSTEM',
])

/** A copy of the process environment for plumbing commands; `extra` wins. */
export function plumbingEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_') || KEPT.has(name))
  return {
    ...Object.fromEntries(entries),
    LC_ALL: 'C',
    GIT_NO_REPLACE_OBJECTS: '1',
    // No file has this name: no graft, and no advice about grafts where an error would be read.
    GIT_GRAFT_FILE: '',
    GIT_NO_LAZY_FETCH: '1',
    // Lists come through pipes: git would write each line by itself.
    GIT_FLUSH: '0',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    ...extra,
  }
}
