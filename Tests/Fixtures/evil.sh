#!/usr/bin/env bash
# A tree that must not be checked out as it stands. The repository's name, without .git, ends in the
# variant: evil-VARIANT. What a successful attack would write is a file with "owned" in it.
. "$(dirname "$0")/lib.sh"
begin
echo 'Innocent' >innocent
commit 'Innocent'
variant=${repository##*/evil-}
variant=${variant%.git}

innocent=$(git rev-parse main:innocent)
hook=$(printf '#!/bin/sh\necho owned >"$HOME/owned"\n' | git hash-object -w --stdin)
hooks=$(raw_tree <<<"100755 post-checkout $hook")
git_folder=$(raw_tree <<<"40000 hooks $hooks")
link() { printf '%s' "$1" | git hash-object -w --stdin; }

as_folder() { raw_tree <<<"40000 $1 $git_folder"; } # NAME of a folder to take for .git
case $variant in
    dot-git) tree=$(as_folder .git) ;;
    upper-git) tree=$(as_folder .GIT) ;;
    mixed-git) tree=$(as_folder .gIt) ;;
    ntfs-short) tree=$(as_folder 'git~1') ;;
    ntfs-dot) tree=$(as_folder .git.) ;;
    ntfs-space) tree=$(as_folder '.git\040') ;;
    ntfs-stream) tree=$(as_folder '.git::$INDEX_ALLOCATION') ;;
    hfs-joiner) tree=$(as_folder '.g\342\200\214it') ;;
    hfs-mark) tree=$(as_folder '\357\273\277.git') ;;
    below) tree=$(raw_tree <<<"40000 sub $(as_folder .git)") ;;
    parent) tree=$(raw_tree <<<"40000 .. $(raw_tree <<<"100644 owned $hook")") ;;
    self) tree=$(raw_tree <<<"40000 . $git_folder") ;;
    unnamed) tree=$(raw_tree <<<"40000 %s $git_folder") ;;
    slash) tree=$(raw_tree <<<"100644 .git/hooks/post-checkout $hook") ;;
    up-slash) tree=$(raw_tree <<<"100644 ../owned $hook") ;;
    absolute) tree=$(raw_tree <<<"100644 /tmp/apus-owned $hook") ;;
    backslash) tree=$(raw_tree <<<"100644 .git\\\\hooks\\\\post-checkout $hook") ;;
    link-then-folder) # one name, first a link to .git, then a folder
        tree=$(printf '120000 a %s\n40000 a %s\n' "$(link .git)" "$git_folder" | raw_tree) ;;
    link-out) # the same, to the folder above
        tree=$(printf '120000 a %s\n40000 a %s\n' "$(link ..)" \
            "$(raw_tree <<<"100644 owned $hook")" | raw_tree) ;;
    link-terminal) # a link, then a file of the same name
        tree=$(printf '120000 a %s\n100644 a %s\n' "$(link ../owned)" "$hook" | raw_tree) ;;
    git-link) tree=$(raw_tree <<<"120000 .git $(link ../elsewhere)") ;;
    modules-link) tree=$(raw_tree <<<"120000 .gitmodules $(link ../elsewhere)") ;;
    module-dash) # a submodule whose url and path are options
        modules=$(printf '[submodule "x"]\n\tpath = -x\n\turl = --upload-pack=touch owned\n' |
            git hash-object -w --stdin)
        tree=$(printf '100644 .gitmodules %s\n160000 -x %s\n' "$modules" "$innocent" | raw_tree) ;;
    *)
        echo "no such variant: $variant" >&2
        exit 1
        ;;
esac
tick
git update-ref refs/heads/main "$(git commit-tree "$tree" -p main -m 'Evil')"
