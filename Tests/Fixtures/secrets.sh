#!/usr/bin/env bash
# The history, and besides two commits below refs/secret with a tag on the second, and one to which nothing
# leads: the file `lost` in the repository has its id.
. "$(dirname "$0")/history.sh"
for n in 1 2; do
    tick
    echo "secret $n" >"secret$n"
    git read-tree main
    [[ $n == 1 ]] || git read-tree "$secret"
    git add "secret$n"
    secret=$(git commit-tree "$(git write-tree)" -p "${secret:-main}" -m "Secret $n")
done
git update-ref refs/secret/tip "$secret"
git tag -a -m Secret secret "$secret"
git update-ref refs/secret/tag secret
git tag -d secret >/dev/null
blob=$(echo lost | git hash-object -w --stdin)
tree=$(printf '100644 blob %s\tlost\n' "$blob" | git mktree)
git commit-tree "$tree" -p main -m Lost >"$repository/lost"
