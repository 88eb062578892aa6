#!/usr/bin/env bash
# Clones large real repositories with apus and with git from a server on loopback, and checks that
# the two clones are the same: refs, every object id, index, and what fsck and status say. Then a
# file of 2 GiB, which must not take more than 256 MiB of memory.
#
#   test-big.sh [REPOSITORY...]
#
# A repository is the path of one on disk, or a URL, which is mirrored once to ~/.cache/apus. Without
# arguments: those named in APUS_BIG_REPOS (parted by spaces), else three from GitHub.
# shellcheck source=Scripts/serving.sh
. "$(dirname "${BASH_SOURCE[0]}")/serving.sh"

repositories=("$@")
((${#repositories[@]})) || read -r -a repositories <<<"${APUS_BIG_REPOS:-https://github.com/git/git \
https://github.com/libgit2/libgit2 https://github.com/apple/swift-nio}"

start_server
cd "$scratch"
failed=0
check() { # WHAT COMMAND...; it must say nothing
    local said
    if said=$("${@:2}" 2>&1) && [[ -z $said ]]; then
        echo "ok      $name: $1"
    else
        printf 'FAILED  %s: %s\n%s\n' "$name" "$1" "$(head -n 20 <<<"$said")"
        failed=1
    fi
}
same() { diff <(git -C with-apus "$@" 2>&1) <(git -C with-git "$@" 2>&1); }
clone_both() {
    rm -rf with-apus with-git
    check 'apus clones it' python3 "$here/measure.py" apus.figures "$apus" clone -q "$url" with-apus
    check 'git clones it' git clone -q "$url" with-git
}

for repository in "${repositories[@]}"; do
    serve "$repository"
    clone_both
    # Old repositories have objects that today's fsck complains of: it must complain of the same.
    check 'fsck --strict says the same' same fsck --strict --no-progress
    check 'git status is clean' git -C with-apus status --porcelain
    check 'no file has to be read for that' git -C with-apus diff-files --raw
    check 'the same refs' same for-each-ref --format='%(refname) %(objectname) %(symref)'
    check 'the same packed-refs' diff with-apus/.git/packed-refs with-git/.git/packed-refs
    check 'the same objects' same cat-file --batch-all-objects --batch-check='%(objectname)'
    check 'the same index' same ls-files --stage
    check 'the pack verifies' git verify-pack with-apus/.git/objects/pack/*.idx
done

BYTES=2147483648 "$project/Tests/Fixtures/big-blob.sh" "$scratch/two-gigabytes.git"
serve "$scratch/two-gigabytes.git"
clone_both
check 'git status is clean' git -C with-apus status --porcelain
check 'the same file' cmp with-apus/big with-git/big
read -r _ _ _ memory <apus.figures
echo "apus held $((memory / 1024)) MiB at most"
check 'in at most 256 MiB' test "$memory" -le 262144
exit "$failed"
