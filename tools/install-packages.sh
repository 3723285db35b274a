#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# install-packages.sh FILE.apt | NAME...
# Installs the Debian packages that are missing.  Where that cannot be done it names them and
# succeeds: the tests that need them then say so one by one.
set -eu

if [ $# = 1 ] && [ -f "$1" ]; then
    wanted=$(sed 's/#.*//' "$1")
else
    wanted=$*
fi

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo '==> Not Debian or Ubuntu, so nothing was installed. Tests that need one of these programs look for it:'
    echo "    "$wanted
    exit 0
fi

missing=
for package in $wanted; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) in
        installed) ;;
        *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "==> Missing, and only root can install them:$missing"
    echo "    sudo apt-get install$missing"
    exit 0
fi

echo "==> Installing$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
    apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 $missing </dev/null >"$log" 2>&1
}
# The lists of a fresh machine are empty or old; fetching them costs time, so only when needed.
if ! install; then
    echo '==> Fetching the package lists'
    apt-get update -o DPkg::Lock::Timeout=300 </dev/null >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
    install || { cat "$log" >&2; exit 1; }
fi
