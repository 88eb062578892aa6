#!/usr/bin/env bash
# Names of any bytes: spaces, quotes, newlines, tabs, not UTF-8, long, and refs not in ASCII.
. "$(dirname "$0")/lib.sh"
begin
names=('with space' $'new\nline' $'tab\there' 'quote"d' "apostrophe's" 'back\slash' $'latin\xe9'
    $'\xff\xfe' $'\x01control\x7f' 'gr\303\274n' $'gr\xc3\xbcn' $'combining-u\xcc\x88' '-dash' '--' '*'
    '?' ':colon' 'trailing ' 'trailing.' ' leading' '#hash' '~tilde' 'con' 'aux.txt' '.gitx' 'git'
    '.gi' 'x.git' '...' '.hidden' "$(printf 'n%.0s' {1..200})")
for name in "${names[@]}"; do
    echo "$name" >"./$name"
done
mkdir $'folder \xe9\n"' && echo 'Inside' >$'folder \xe9\n"/file'
mkdir -p "$(printf 'deep/%.0s' {1..60})" && echo 'Deep' >"$(printf 'deep/%.0s' {1..60})file"
# Sorting: a folder sorts as if its name ended in a slash.
mkdir sort && : >sort/x && : >sort- && : >sort.c && : >sort0 && : >sorta
commit $'Odd names\n\nbody'
git branch $'branch-gr\xc3\xbcn'
git branch $'latin-\xe9'
git tag "it's-(a)-tag,really!"
