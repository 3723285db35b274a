#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the first Python that is new enough and can make a virtual environment.
# On Debian and Ubuntu, as root, it installs what is missing for that.
set -eu

usable() {
    # A name on the PATH may be a shim for a Python that is not there, so it has to run.
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_usable() {
    for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3; do
        if usable "$candidate"; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

find_usable && exit 0
if [ -n "${PYTHON:-}" ]; then
    echo "PYTHON=$PYTHON is not a Python 3.11 or newer with the venv module." >&2
    exit 1
fi
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    "$(dirname "$0")/install-packages.sh" python3 python3-venv >&2
    find_usable && exit 0
fi
echo 'No Python 3.11 or newer with the venv module was found (Debian and Ubuntu: apt-get install python3-venv).' >&2
exit 1
