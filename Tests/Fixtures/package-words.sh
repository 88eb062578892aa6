#!/usr/bin/env bash
# A Swift package that depends on package-letters, with the versions 1.0.0 and 1.1.0.
. "$(dirname "$0")/lib.sh"
begin
mkdir -p Sources/Words
cat >Package.swift <<'MANIFEST'
// swift-tools-version: 5.9
import PackageDescription

let package = Package(
    name: "words",
    products: [.library(name: "Words", targets: ["Words"])],
    dependencies: [.package(url: "https://packages.test/letters.git", from: "1.0.0")],
    targets: [.target(name: "Words", dependencies: [.product(name: "Letters", package: "letters")])])
MANIFEST
printf 'import Letters\n\npublic let words = [letters]\n' >Sources/Words/Words.swift
commit 'Words'
git tag -a -m 'The first' 1.0.0
printf 'import Letters\n\npublic let words = [letters, letters]\n' >Sources/Words/Words.swift
commit 'More words'
git tag 1.1.0
git repack -q -a -d
