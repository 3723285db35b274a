#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make-cloud-venv.sh DIRECTORY REQUIREMENTS
# Makes the virtual environment of the OpenStack services that `make cloud` tests against, if there is none.
set -eu

directory=$1
requirements=$2

if ! "$directory/bin/python" -c 'import pip' >/dev/null 2>&1; then
    python=$("$(dirname "$0")/find-python.sh")
    echo "==> Making $directory with $("$python" --version)"
    rm -rf "$directory"
    "$python" -m venv "$directory"
fi
echo "==> Installing Keystone, Glance, Neutron and Cinder into $directory (two minutes or so, once)"
PYTHONWARNINGS=ignore "$directory/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
    --requirement "$requirements"
