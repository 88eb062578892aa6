#!/usr/bin/env bash
# Serves a repository on loopback with `apus serve`, clones it with apus and with git, and checks that the two
# clones are the same. Needs no network. The repository is this project's own where it has one.
# shellcheck source=Scripts/serving.sh
. "$(dirname "${BASH_SOURCE[0]}")/serving.sh"

mkdir "$scratch/root"
"$here/demo-repository.sh" "$scratch/root/project.git"
serve_with_apus "$scratch/root"
url=$ours/project.git
cd "$scratch"

timed() { # NAME PROGRAM ARGUMENT...
    echo "\$ $1 ${*:3}"
    python3 "$here/measure.py" "$1.figures" "${@:2}"
}
echo "\$ apus serve --root $scratch/root --export-all --listen 127.0.0.1:0"
echo "It has $url"
echo
timed apus "$apus" clone "$url" with-apus
echo
timed git git clone -q "$url" with-git
echo

# What git itself thinks of apus's clone, and what differs from its own.
check() { # WHAT COMMAND...
    local said
    if said=$("${@:2}" 2>&1) && [[ -z $said ]]; then
        echo "ok      $1"
    else
        printf 'FAILED  %s\n%s\n' "$1" "$said"
        return 1
    fi
}
same() { # what git COMMAND prints in both clones
    diff <(git -C with-apus "$@" 2>&1) <(git -C with-git "$@" 2>&1)
}
failed=0
check 'git fsck --strict finds nothing' git -C with-apus fsck --strict --no-dangling --no-progress ||
    failed=1
check 'git status is clean' git -C with-apus status --porcelain || failed=1
check 'the refs are those of git clone' same for-each-ref || failed=1
check 'the objects are those of git clone' same cat-file --batch-all-objects --batch-check ||
    failed=1
check 'the index is that of git clone' same ls-files --stage || failed=1
check 'the files are those of git clone' diff -r -x .git with-apus with-git || failed=1
echo
read -r apus_wall apus_cpu _ apus_memory <apus.figures
read -r git_wall git_cpu _ git_memory <git.figures
echo "apus clone  $apus_wall s, $apus_cpu s of CPU, $((apus_memory / 1024)) MiB"
echo "git clone   $git_wall s, $git_cpu s of CPU, $((git_memory / 1024)) MiB"
echo "($(git -C with-apus rev-list --objects --all | wc -l | tr -d ' ') objects; one run says little about speed: see 'make bench')"
exit "$failed"
