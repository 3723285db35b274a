# SPDX-License-Identifier: Apache-2.0
"""What a client sees over HTTP, as YAML: see docs/contributor/testing.rst."""
