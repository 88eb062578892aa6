#!/usr/bin/env bash
# Installs what is missing to build and test Apus: Debian's packages by apt, as root or through sudo.
# On other systems it says what is missing. Does nothing, quickly, when nothing is.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

swift_needed=6.2

missing=() # Debian's names
formulae=() # Homebrew's
need() { # DEBIAN-PACKAGE HOMEBREW-FORMULA TEST...
    local package=$1 formula=$2
    shift 2
    "$@" >/dev/null 2>&1 && return
    missing+=("$package")
    [[ $formula == - ]] || formulae+=("$formula")
}
has() { command -v "$1"; }
linkable() { compgen -G '/usr/lib/gcc/*/*/crtbeginS.o' && [[ -e /usr/include/stdio.h ]]; }
http_backend() { [[ -x $(git --exec-path)/git-http-backend ]]; }
library() { pkg-config --exists "$1"; }

need git git has git
need git git http_backend
need git-lfs git-lfs has git-lfs
need nginx nginx has nginx
need fcgiwrap fcgiwrap has fcgiwrap
need python3 python3 has python3
need openssl openssl has openssl
need pkg-config pkgconf has pkg-config
need libcurl4-openssl-dev curl library libcurl
need libdeflate-dev libdeflate library libdeflate
need zlib1g-dev zlib library zlib
need libmicrohttpd-dev libmicrohttpd library libmicrohttpd
need libsqlite3-dev sqlite library sqlite3
if [[ $(uname -s) == Linux ]]; then
    need g++ - linkable
    # Other clients for the tests; of Debian's Python, whatever others there are.
    need python3-dulwich - /usr/bin/python3 -c 'import dulwich'
    need python3-pygit2 - /usr/bin/python3 -c 'import pygit2'
else
    need bash bash test "${BASH_VERSINFO[0]}" -ge 4 # macOS has 3.2
fi

as_root() {
    if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi
}

# Installs Debian packages. nginx and fcgiwrap are wanted as programs: their services stay off.
install_packages() {
    local policy=/usr/sbin/policy-rc.d ours=''
    if [[ ! -e $policy ]]; then
        ours=yes
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    local code=0
    as_root apt-get update -q || code=$?
    ((code != 0)) ||
        as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -q --no-install-recommends "$@" || code=$?
    [[ -z $ours ]] || as_root rm -f "$policy"
    ((code == 0)) || return "$code"
    for service in nginx.service fcgiwrap.socket fcgiwrap.service; do
        case " $* " in *" ${service%.*} "*) ;; *) continue ;; esac
        ! has systemctl >/dev/null || as_root systemctl disable -q "$service" 2>/dev/null || true
    done
}

if ((${#missing[@]})); then
    read -r -a missing < <(printf '%s\n' "${missing[@]}" | sort -u | tr '\n' ' ' && echo)
    if has apt-get >/dev/null; then
        if [[ $(id -u) != 0 ]] && ! has sudo >/dev/null; then
            echo "bootstrap: there is no sudo. As root: apt-get install ${missing[*]}" >&2
            exit 1
        fi
        echo "bootstrap: installing with apt: ${missing[*]}"
        install_packages "${missing[@]}"
    elif has brew >/dev/null; then
        echo "bootstrap: missing. Install with: brew install ${formulae[*]}" >&2
        exit 1
    else
        echo "bootstrap: missing, by their Debian names: ${missing[*]}" >&2
        exit 1
    fi
fi

swift=${SWIFT:-swift}
if ! has "$swift" >/dev/null; then
    echo "bootstrap: no Swift toolchain: install $swift_needed or newer from https://swift.org/install" >&2
    exit 1
fi
version=$("$swift" --version 2>/dev/null | sed -n 's/.*Swift version \([0-9.]*\).*/\1/p' | head -n 1)
if [[ $(printf '%s\n' "$swift_needed" "$version" | sort -V | head -n 1) != "$swift_needed" ]]; then
    echo "bootstrap: Swift $version is too old: $swift_needed or newer is needed (https://swift.org/install)" >&2
    exit 1
fi
