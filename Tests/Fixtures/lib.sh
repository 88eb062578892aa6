# shellcheck shell=bash
# Sourced by every fixture. A fixture is run as `NAME.sh DIRECTORY` and makes the bare repository
# DIRECTORY with stock git: the same bytes every time.
set -euo pipefail

export LC_ALL=C TZ=UTC
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0
export GIT_AUTHOR_NAME='Ada Lovelace' GIT_AUTHOR_EMAIL=ada@example.com
export GIT_COMMITTER_NAME='Grace Hopper' GIT_COMMITTER_EMAIL=grace@example.com

repository=$1
fixture_clock=1700000000
export GIT_AUTHOR_DATE="$fixture_clock +0000" GIT_COMMITTER_DATE="$fixture_clock +0200"

# Moves the clock of later commits on by a minute.
tick() {
    fixture_clock=$((fixture_clock + 60))
    export GIT_AUTHOR_DATE="$fixture_clock +0000" GIT_COMMITTER_DATE="$fixture_clock +0200"
}

# Makes the repository. Afterwards plain `git` works in it, and files are added from the work tree,
# which is the current folder.
begin() { # [further options of git init]
    git init -q --bare -b main "$@" "$repository"
    repository=$(cd "$repository" && pwd -P)
    export GIT_DIR=$repository
    work_tree=$(mktemp -d "${TMPDIR:-/tmp}/apus-fixture.XXXXXX")
    trap 'rm -rf "$work_tree" "$repository"/{index,logs,COMMIT_EDITMSG}' EXIT
    export GIT_WORK_TREE=$work_tree
    cd "$work_tree"
}

# Commits everything in the work tree to the current branch.
commit() { # MESSAGE
    tick
    git add -A
    git commit -q --allow-empty -m "$1"
}

# Prints the id of a tree whose entries come on standard input as lines "MODE NAME ID", in the order
# given and unchecked: for trees that git itself would refuse to write. NAME is a printf format.
raw_tree() {
    local mode name id
    while read -r mode name id; do
        # shellcheck disable=SC2059 # the name is a format on purpose
        printf "%s $name\\0" "$mode"
        # shellcheck disable=SC2059
        printf "$(printf '%s' "$id" | sed 's/../\\x&/g')"
    done | git hash-object -w -t tree --literally --stdin
}
