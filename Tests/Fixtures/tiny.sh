#!/usr/bin/env bash
# One commit of two files, and a tag: loose objects only.
. "$(dirname "$0")/lib.sh"
begin
echo 'Hello' >greeting
mkdir deep && echo 'Below' >deep/file
commit 'First'
git tag v1
