#!/usr/bin/env bash
# Gitlinks: two submodules, one below a folder, and one that .gitmodules does not name.
. "$(dirname "$0")/lib.sh"
begin
echo 'Beside' >file
mkdir libs && echo 'Inside' >libs/file
cat >.gitmodules <<'END'
[submodule "one"]
	path = one
	url = ../tiny.git
[submodule "libs/two"]
	path = libs/two
	url = https://example.invalid/two.git
END
commit 'Files'
for path in one libs/two unnamed; do
    git update-index --add --cacheinfo "160000,1234567890123456789012345678901234567890,$path"
done
tick
git commit -q -m 'Submodules'
