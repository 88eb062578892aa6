#!/usr/bin/env bash
# One incompressible blob, of 300 MB or of BYTES bytes.
. "$(dirname "$0")/lib.sh"
begin
git config core.compression 0
git config core.bigFileThreshold 1m
head -c "${BYTES:-300000000}" /dev/zero |
    openssl enc -aes-128-ctr -K 00112233445566778899aabbccddeeff -iv 00112233445566778899aabbccddeeff >big
echo 'Small' >small
commit 'A big file'
git repack -q -a -d
