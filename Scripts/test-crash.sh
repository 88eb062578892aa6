#!/usr/bin/env bash
# Kills `apus serve` with SIGKILL at random moments of pushes, and looks at what is left each time:
# the repository is whole, each ref has its old value or its new one, what a client was told has
# happened has, and the same push goes through afterwards.
#
#   test-crash.sh [REPOSITORY FORMAT: sha1 (default) or sha256]
#
#   APUS_CRASH_ROUNDS   how often (300)
#   APUS                the program (.build/release/apus)
#
# As with git, a server that is killed may leave the lock of a ref, a `.keep` beside a pack, and a
# quarantine. They are counted and removed: no other process can know that nobody holds them.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
apus=${APUS:-$(dirname "$here")/.build/release/apus}
[[ -x $apus ]] || { echo "no $apus: run 'make build'" >&2; exit 1; }
rounds=${APUS_CRASH_ROUNDS:-300}
format=${1:-sha1}
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0 LC_ALL=C
export GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=ada@example.com
export GIT_COMMITTER_NAME=Ada GIT_COMMITTER_EMAIL=ada@example.com

scratch=$(mktemp -d "${TMPDIR:-/tmp}/apus-crash.XXXXXX")
server='' url=''
finish() {
    [[ -z $server ]] || kill -9 "$server" 2>/dev/null || true
    rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

served=$scratch/root/served.git
client=$scratch/client
git init -q --bare -b main --object-format="$format" "$served"
git init -q -b main --object-format="$format" "$client"

start_server() {
    : >"$scratch/said"
    "$apus" serve -q --root "$scratch/root" --export-all --enable-push --listen 127.0.0.1:0 \
        >/dev/null 2>"$scratch/said" &
    server=$!
    local tries
    for ((tries = 0; tries < 500; tries++)); do
        url=$(sed -n "s/^serving .* at \(http:.*\)\$/\1/p" "$scratch/said")
        [[ -z $url ]] || return 0
        sleep 0.01
    done
    fail 'apus serve does not start'
}

kill_server() {
    kill -9 "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=''
}

fail() {
    echo "round $round ($kind, killed after $delay ms): $1" >&2
    trap - EXIT
    [[ -z $server ]] || kill -9 "$server" 2>/dev/null || true
    echo "what is left is in $scratch" >&2
    exit 1
}

refs_of() { git -C "$1" for-each-ref --format='%(refname) %(objectname)' refs/heads refs/tags; }
milliseconds() { local now=${EPOCHREALTIME/[.,]/}; echo $((now / 1000)); }

# What a push of each kind changes, in the client; sets $push.
many=()
for n in {1..20}; do many+=("refs/heads/many/$n"); done
prepare() {
    local n
    case $kind in
        small) # a few objects, which become loose ones
            echo "$round" >"$client/small"
            push=(main) ;;
        large) # a pack of its own
            mkdir -p "$client/large"
            for n in {1..120}; do echo "$round $n" >"$client/large/$n"; done
            push=(main) ;;
        atomic | together) # twenty refs
            echo "$round" >"$client/many"
            push=("${many[@]/#/main:}")
            [[ $kind == together ]] || push=(--atomic "${push[@]}") ;;
        mixed) # creates, deletes, moves back, a tag; the server's refs are packed
            echo "$round" >"$client/mixed"
            push=(--force main "main:refs/heads/new/$round" ':refs/heads/gone' 'main~1:refs/heads/moved') ;;
    esac
    git -C "$client" add -A
    git -C "$client" commit -q -m "Round $round, $kind"
    if [[ $kind == mixed ]]; then
        git -C "$client" tag -a -m "Tag" "t$round"
        push+=("t$round")
        git -C "$served" update-ref refs/heads/gone main
        git -C "$served" pack-refs --all
    fi
}

# What the server's refs are to be after the push.
expected() {
    local spec source name id
    declare -A new
    while read -r name id; do new[$name]=$id; done < <(refs_of "$served")
    for spec in "${push[@]}"; do
        [[ $spec != --* ]] || continue
        source=${spec%%:*} name=${spec#*:}
        case $name in
            refs/*) ;;
            t*) name=refs/tags/$name ;;
            *) name=refs/heads/$name ;;
        esac
        if [[ -z $source ]]; then unset "new[$name]"; continue; fi
        new[$name]=$(git -C "$client" rev-parse "$source")
    done
    for name in "${!new[@]}"; do echo "$name ${new[$name]}"; done | LC_ALL=C sort
}

# Each ref has its old value or its new one; sets $outcome.
judge_refs() {
    LC_ALL=C sort "$scratch/old" >"$scratch/old.sorted"
    refs_of "$served" | LC_ALL=C sort >"$scratch/now"
    if cmp -s "$scratch/now" "$scratch/new"; then
        outcome=new
    elif cmp -s "$scratch/now" "$scratch/old.sorted"; then
        outcome=old
    else
        outcome=mixed
    fi
    awk -v old="$scratch/old.sorted" -v new="$scratch/new" -v now="$scratch/now" 'BEGIN {
        while ((getline < old) > 0) { was[$1] = $2; all[$1] = 1 }
        while ((getline < new) > 0) { becomes[$1] = $2; all[$1] = 1 }
        while ((getline < now) > 0) { is[$1] = $2; all[$1] = 1 }
        for (name in all) if (is[name] != was[name] && is[name] != becomes[name]) {
            print name " is \"" is[name] "\", was \"" was[name] "\""; bad = 1
        }
        exit bad
    }' || fail 'a ref has neither its old value nor its new one'
}

judge_repository() {
    git -C "$served" fsck --strict --no-dangling >"$scratch/fsck" 2>&1 ||
        fail "the repository is broken: $(head -n 3 "$scratch/fsck")"
    if grep -v '^notice' "$scratch/fsck"; then fail 'fsck has something to say'; fi
}

# What a killed server leaves; counted, and removed as an administrator would.
count_remains() {
    local path
    while read -r path; do
        case $path in
            *.lock) ((++locks)) ;;
            *.keep) ((++keeps)) ;;
            *) ((++quarantines)) ;;
        esac
        rm -rf "$path"
    done < <(find "$served" '(' -name '*.lock' -o -name '*.keep' -o -name 'tmp_objdir*' ')' -prune)
    while read -r path; do
        ((++others))
        echo "  left in round $round: ${path#"$served"/}"
        rm -rf "$path"
    done < <(find "$served" '(' -name 'tmp*' -o -name '*.tmp*' -o -name '*.new' ')' -prune)
}

run_push() { git -C "$client" push "$url"served.git "${push[@]}" >"$scratch/push" 2>&1; }

kinds=(small large atomic together mixed)
declare -A duration tally
round=0 kind=none delay=0 locks=0 keeps=0 quarantines=0 others=0 mixed_atomic=0 told=0
push=() outcome=''

# A whole push of each kind tells how long it takes.
for kind in "${kinds[@]}"; do
    prepare
    start_server
    began=$(milliseconds)
    run_push || fail "a push that nothing disturbs fails: $(cat "$scratch/push")"
    duration[$kind]=$(($(milliseconds) - began))
    kill_server
    ((++round))
done
count_remains
locks=0 keeps=0 quarantines=0

for ((done_rounds = 0; done_rounds < rounds; done_rounds++, round++)); do
    kind=${kinds[round % ${#kinds[@]}]}
    prepare
    refs_of "$served" >"$scratch/old"
    expected >"$scratch/new"
    start_server
    longest=$((duration[$kind] * 130 / 100 + 1))
    delay=$(((RANDOM * 32768 + RANDOM) % (longest * 10)))
    printf -v pause '%d.%04d' $((delay / 10000)) $((delay % 10000))
    delay=$((delay / 10))
    run_push &
    pushing=$!
    sleep "$pause"
    kill_server
    success=no
    if wait "$pushing"; then success=yes; fi

    judge_refs
    [[ $success == no || $outcome == new ]] || fail 'the client was told of a success that is none'
    [[ $success == no ]] || ((++told))
    [[ $kind != atomic || $outcome != mixed ]] || ((++mixed_atomic))
    tally[$kind.$outcome]=$((${tally[$kind.$outcome]:-0} + 1))
    judge_repository
    count_remains

    start_server
    began=$(milliseconds)
    run_push || fail "the next push fails: $(cat "$scratch/push")"
    # How long a push takes hangs on what else the machine does.
    [[ $outcome != old ]] || duration[$kind]=$(((duration[$kind] * 3 + $(milliseconds) - began) / 4))
    kill_server
    refs_of "$served" | LC_ALL=C sort | cmp -s - "$scratch/new" ||
        fail 'the next push does not leave what it should'
    count=$((done_rounds + 1))
    if ((count % 50 == 0)); then echo "  $count rounds"; fi
    # Old leftovers, and objects by the thousand, would only slow this down.
    if ((count % 40 == 0)); then git -C "$served" gc -q --prune=now; fi
done
git -C "$served" fsck --strict --full --no-dangling >"$scratch/fsck" 2>&1 || fail 'broken at the end'

echo "$rounds rounds, $format: every repository whole, every ref old or new, every next push taken"
printf '  %-10s %6s %6s %6s %6s\n' push ms old new partly
for kind in "${kinds[@]}"; do
    printf '  %-10s %6d %6d %6d %6d\n' "$kind" "${duration[$kind]}" "${tally[$kind.old]:-0}" \
        "${tally[$kind.new]:-0}" "${tally[$kind.mixed]:-0}"
done
echo "  told of success before the kill: $told; atomic pushes of which a part was done: $mixed_atomic"
echo "  left and removed: $locks locks, $keeps .keep files, $quarantines quarantines, $others others"
