#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make-venv.sh DIRECTORY WHAT PIP-ARGUMENT...
# Makes the virtual environment if there is none, and has pip install into it; WHAT is for the person who waits.
set -eu

directory=$1
what=$2
shift 2

if ! "$directory/bin/python" -c 'import pip' >/dev/null 2>&1; then
    python=$("$(dirname "$0")/find-python.sh")
    echo "==> Making $directory with $("$python" --version)"
    rm -rf "$directory"
    "$python" -m venv "$directory"
fi
echo "==> Installing $what into $directory (two minutes or so, once)"
# The build tools' advice to developers of build tools would only puzzle here; errors are shown.
PYTHONWARNINGS=ignore "$directory/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "$@"
