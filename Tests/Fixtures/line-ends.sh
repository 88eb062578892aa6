#!/usr/bin/env bash
# Line ends and attributes: text, -text, eol, binary, in the root and below, and a macro.
. "$(dirname "$0")/lib.sh"
begin
git config core.autocrlf false
git config core.safecrlf false
cat >.gitattributes <<'END'
# a comment
* text=auto
*.bat text eol=crlf
*.sh text eol=lf
*.bin binary
*.raw -text
[attr]windows text eol=crlf
*.win windows
/only-here.txt eol=crlf
"quoted name.txt" eol=crlf
sub/*.txt eol=crlf
**/anywhere/*.txt eol=crlf
old.txt crlf
END
printf 'one\ntwo\n' | tee auto.txt run.bat run.sh x.win only-here.txt 'quoted name.txt' \
    old.txt >/dev/null
printf 'one\ntwo\n' | tee raw.raw >/dev/null
printf 'one\r\ntwo\r\n' | tee kept.raw >/dev/null
printf 'one\r\ntwo\r\n\000' | tee data.bin guessed-binary >/dev/null
printf 'lone\rreturn\n' >lone-return.txt
printf 'no end' >no-end.bat
: >empty.bat
mkdir -p sub/deeper other/anywhere
printf 'a\nb\n' | tee sub/in.txt sub/deeper/not.txt other/anywhere/yes.txt other/only-here.txt \
    sub/deeper/local.c >/dev/null
printf '*.c eol=crlf\nnot.txt -text\n' >sub/deeper/.gitattributes
printf 'first\nsecond\n' >sub/ident.c
commit 'Line ends'
# Stored with CRLF although "text": what is stored is left alone by text=auto.
blob=$(printf 'stored\r\ncrlf\r\n' | git hash-object -w --stdin)
git update-index --add --cacheinfo "100644,$blob,stored-crlf.txt"
tick
git commit -q -m 'A file stored with CRLF'
