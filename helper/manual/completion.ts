/**
 * Completion for bash, zsh and fish, made from the manual: commands, their options, topics of `help`; everything else is a
 * file name.
 */
import type { CommandEntry, Manual } from './manual.ts'
import { plain } from './plain-text.ts'

export type Shell = 'bash' | 'zsh' | 'fish'

export const SHELLS: readonly Shell[] = ['bash', 'zsh', 'fish']

/** The script that a user's shell sources. */
export function completionScript(manual: Manual, shell: Shell): string {
  switch (shell) {
    case 'bash':
      return bash(manual)
    case 'zsh':
      return zsh(manual)
    case 'fish':
      return fish(manual)
  }
}

function helpWords({ commands, sections }: Manual): string {
  return [...commands, ...sections].map(({ name }) => name).join(' ')
}

function bash(manual: Manual): string {
  const cases = manual.commands.map(({ name, options }) => `    ${name}) words="${options.join(' ')}" ;;`)
  return `_gittorrent() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${manual.commands.map(({ name }) => name).join(' ')}" -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
    help) COMPREPLY=($(compgen -W "${helpWords(manual)} --man" -- "$current")); return ;;
    completion) COMPREPLY=($(compgen -W "${SHELLS.join(' ')}" -- "$current")); return ;;
${cases.filter((line) => !/^ {4}(help|completion)\)/.test(line)).join('\n')}
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
    *) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$current")) ;;
  esac
}
complete -F _gittorrent gittorrent
`
}

function zsh(manual: Manual): string {
  const described = manual.commands.map((command) => `    ${singleQuoted(`${command.name}:${phraseOf(command)}`)}`)
  const cases = manual.commands.map(({ name, options }) => `      (${name}) compadd -- ${options.join(' ')} ;;`)
  return `#compdef gittorrent
_gittorrent() {
  local -a commands
  commands=(
${described.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
  elif [[ $words[2] == help ]]; then
    compadd -- ${helpWords(manual)} --man
  elif [[ $words[2] == completion ]]; then
    compadd -- ${SHELLS.join(' ')}
  elif [[ $words[CURRENT] == -* ]]; then
    case $words[2] in
${cases.join('\n')}
    esac
  else
    _files
  fi
}
compdef _gittorrent gittorrent
`
}

function fish(manual: Manual): string {
  const lines = manual.commands.flatMap((command) => {
    const { name, options } = command
    const own = `complete -c gittorrent -n "__fish_seen_subcommand_from ${name}"`
    return [
      `complete -c gittorrent -n __fish_use_subcommand -f -a ${name} -d ${singleQuoted(phraseOf(command))}`,
      ...options.map((option) => `${own} -l ${option.slice(2)}`),
    ]
  })
  const words = `complete -c gittorrent -f -n "__fish_seen_subcommand_from`
  const help = `${words} help" -a ${singleQuoted(helpWords(manual))}`
  return `${[...lines, help, `${words} completion" -a '${SHELLS.join(' ')}'`].join('\n')}\n`
}

function phraseOf({ summary }: CommandEntry): string {
  return plain(summary).split(/[;:.](?:\s|$)/)[0] ?? ''
}

/** For zsh and fish. */
function singleQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
