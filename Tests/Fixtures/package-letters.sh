#!/usr/bin/env bash
# A Swift package that depends on nothing, with the versions 1.0.0 and 1.1.0.
. "$(dirname "$0")/lib.sh"
begin
mkdir -p Sources/Letters
cat >Package.swift <<'MANIFEST'
// swift-tools-version: 5.9
import PackageDescription

let package = Package(
    name: "letters",
    products: [.library(name: "Letters", targets: ["Letters"])],
    targets: [.target(name: "Letters")])
MANIFEST
echo 'public let letters = "abc"' >Sources/Letters/Letters.swift
commit 'Letters'
git tag -a -m 'The first' 1.0.0
echo 'public let letters = "abcdef"' >Sources/Letters/Letters.swift
commit 'More letters'
git tag 1.1.0
git repack -q -a -d
