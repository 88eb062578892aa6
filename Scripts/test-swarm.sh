#!/usr/bin/env bash
# A swarm of stock git clients clones and fetches through `apus cache` while upstream (nginx and `git http-backend`)
# is pushed to, force-pushed, and has branches made and deleted. Each result passes fsck and is a state that
# upstream had when the client began, or later. The repository is a small history.
#
#   test-swarm.sh [SECONDS]     600 if not given
# shellcheck source=Scripts/serving.sh
. "$(dirname "${BASH_SOURCE[0]}")/serving.sh"

seconds=${1:-600}
clients=6
start_server
"$project/Tests/Fixtures/history.sh" "$root/r.git"
git -C "$root/r.git" config http.receivepack true
start_apus cache cache --store "$scratch/store" --upstream "up=$http/git/"
cached=$started/up/r.git
cd "$scratch"
git clone -q "$http/git/r.git" work
git -C work config user.name Swarm
git -C work config user.email swarm@example.org
branch=$(git -C work symbolic-ref --short HEAD)
git -C work rev-parse HEAD >states
end=$((SECONDS + seconds))

push() {
    local number=0
    while ((SECONDS < end)); do
        number=$((number + 1))
        case $((number % 5)) in
            0)
                git -C work reset -q --hard HEAD~1
                git -C work commit -q --allow-empty -m "instead $number"
                ;;
            1) git -C work push -q -f origin "HEAD:refs/heads/other$((number % 7))" ;;
            2) git -C work push -q origin --delete "other$(((number - 1) % 7))" ;;
            *) git -C work commit -q --allow-empty -m "new $number" ;;
        esac
        # Known before it is there, so that nobody can see it unknown.
        git -C work rev-parse HEAD >>states
        git -C work push -q -f origin "HEAD:$branch"
        git -C work rev-parse HEAD >>pushed
    done
}

fail() {
    echo "FAILED  $1" | tee -a failures
}

client() {
    local folder=clone$1 round=0 began version
    while ((SECONDS < end)); do
        round=$((round + 1))
        version=$((RANDOM % 3))
        began=$(tail -n 1 pushed)
        if ((round % 4 == 1)); then
            rm -rf "$folder"
            local depth=()
            ((RANDOM % 3)) || depth=(--depth 2)
            git -c "protocol.version=$version" clone -q "${depth[@]}" "$cached" "$folder" 2>"$folder.err" || {
                fail "clone in version $version: $(<"$folder.err")"
                rm -rf "$folder"
                round=0
                continue
            }
        else
            git -C "$folder" -c "protocol.version=$version" fetch -q --prune 2>"$folder.err" || {
                fail "fetch in version $version: $(<"$folder.err")"
                continue
            }
        fi
        git -C "$folder" fsck --strict --no-dangling --no-progress >"$folder.err" 2>&1 ||
            fail "fsck: $(head -n 3 "$folder.err")"
        echo "$began $(git -C "$folder" rev-parse "origin/$branch")" >>seen
    done
}

git -C work rev-parse HEAD >pushed
touch failures
push &
jobs=("$!")
for ((number = 1; number <= clients; number++)); do
    client "$number" &
    jobs+=("$!")
done
wait "${jobs[@]}"

# No state older than the one that was pushed when the client began.
awk 'FNR == NR { if (!($1 in place)) first[$1] = FNR; place[$1] = FNR; next }
    !($2 in place) { print "unknown state " $2; next }
    place[$2] < first[$1] { print "older than when it began: " $2 }' states seen >>failures
grep -c . seen | sed 's/$/ clones and fetches/'
grep -c . pushed | sed 's/$/ pushes/'
if [[ -s failures ]]; then
    sort failures | uniq -c | head -n 20
    exit 1
fi
echo 'ok      every one whole, and none older than when it began'
