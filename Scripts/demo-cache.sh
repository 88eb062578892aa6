#!/usr/bin/env bash
# Serves a repository on loopback with `apus serve`, puts `apus cache` in front of it, and shows what it takes and
# what upstream has to send: a first clone, a second, eight at once, and a push to upstream that the next fetch
# sees. The clients are stock git. Needs no network. The repository is this project's own where it has one.
# shellcheck source=Scripts/serving.sh
. "$(dirname "${BASH_SOURCE[0]}")/serving.sh"

mkdir "$scratch/root"
"$here/demo-repository.sh" "$scratch/root/project.git"
serve_with_apus "$scratch/root" --enable-push
start_apus cache cache --store "$scratch/store" --upstream "forge=$ours/"
cached=$started/forge/project.git
cd "$scratch"
echo "\$ apus cache --store $scratch/store --upstream forge=$ours/ --listen 127.0.0.1:0"
echo

sent() { # bytes of answers that upstream has sent by now
    sleep 0.2
    awk -F'"sent":' '{ split($2, part, ","); sum += part[1] } END { printf "%d", sum }' serve.log
}
rows=()
row() { # WHAT COMMAND...
    local before after begun ended
    before=$(sent)
    begun=$(date +%s%N)
    "${@:2}"
    ended=$(date +%s%N)
    after=$(sent)
    rows+=("$(printf '%-34s %8d ms %12d bytes' "$1" $(((ended - begun) / 1000000)) $((after - before)))")
}
eight() {
    local pids=()
    for number in 1 2 3 4 5 6 7 8; do
        git clone -q "$cached" "at-once-$number" &
        pids+=("$!")
    done
    wait "${pids[@]}"
}
row 'clone, upstream itself' git clone -q "$ours/project.git" direct
row 'clone through the cache, the first' git clone -q "$cached" cold
row 'clone through the cache, again' git clone -q "$cached" warm
row 'eight clones at once' eight
git -C direct -c user.name=Demo -c user.email=demo@example.org commit -q --allow-empty -m 'A new commit'
git -C direct push -q origin HEAD
row 'fetch of what was just pushed' git -C warm fetch -q

failed=0
for clone in cold warm at-once-1 at-once-8; do
    git -C "$clone" fsck --strict --no-dangling --no-progress || failed=1
done
if [[ $(git -C warm rev-parse FETCH_HEAD) == $(git -C direct rev-parse HEAD) ]]; then
    echo 'ok      the push to upstream was seen at once'
else
    echo 'FAILED  the fetch through the cache did not see the push'
    failed=1
fi
echo
printf '%-34s %11s %18s\n' '' 'took' 'upstream sent'
printf '%s\n' "${rows[@]}"
exit "$failed"
