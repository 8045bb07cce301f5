/**
 * What a shell needs to complete `livegrad`: a few lines that ask `complete.ts`, so that they are right
 * as long as it is where it was.
 *
 * Invariant: nothing of the command line is written here. Where there is no command `livegrad`, one is
 * made, since npm has it under another name.
 */

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export interface Paths {
  readonly node: string;
  /** `complete.ts`. */
  readonly helper: string;
  /** What `npm run livegrad` starts. */
  readonly launcher: string;
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

export function scriptFor(shell: Shell, { node, helper, launcher }: Paths): string {
  const ask = `${quoted(node)} ${quoted(helper)}`;
  const start = `${quoted(node)} ${quoted(launcher)}`;
  switch (shell) {
    case 'bash':
      return `# livegrad for bash: source this, or put it into ~/.local/share/bash-completion/completions/livegrad
type livegrad >/dev/null 2>&1 || livegrad() { ${start} "$@"; }
_livegrad() {
  local word
  COMPREPLY=()
  while IFS=$'\\t' read -r word _; do
    COMPREPLY+=("$(printf '%q' "$word")")
  done < <(${ask} "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o bashdefault -o default -F _livegrad livegrad
`;
    case 'zsh':
      return `#compdef livegrad
# livegrad for zsh: source this after compinit, or put it as _livegrad into a folder of $fpath
(( $+commands[livegrad] + $+functions[livegrad] )) || livegrad() { ${start} "$@"; }
_livegrad() {
  local line
  local -a found
  for line in "\${(@f)$(${ask} "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -n $line ]] && found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  if (( $#found )); then _describe livegrad found; else _files; fi
}
if [[ \${funcstack[1]-} = _livegrad ]]; then _livegrad "$@"; else compdef _livegrad livegrad; fi
`;
    case 'fish':
      return `# livegrad for fish: put this into ~/.config/fish/completions/livegrad.fish
type -q livegrad; or function livegrad; ${start} $argv; end
function __livegrad_complete
    set -l words (commandline -opc) (commandline -ct)
    ${ask} $words[2..] 2>/dev/null
end
complete -c livegrad -a '(__livegrad_complete)'
`;
  }
}
