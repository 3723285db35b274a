#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make-venv.sh DIRECTORY EXTRAS
# Makes the virtual environment if there is none, and installs this tree into it, editable.
set -eu

directory=$1
extras=$2

if ! "$directory/bin/python" -c 'import pip' >/dev/null 2>&1; then
    python=$("$(dirname "$0")/find-python.sh")
    echo "==> Making $directory with $("$python" --version)"
    rm -rf "$directory"
    "$python" -m venv "$directory"
fi
echo "==> Installing nova-lite[$extras] into $directory (a minute or two, once)"
# The build tools' advice to developers of build tools would only puzzle here; errors are shown.
PYTHONWARNINGS=ignore "$directory/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
    --editable ".[$extras]"
