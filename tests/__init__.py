# SPDX-License-Identifier: Apache-2.0
"""The tests are a package, so that a tier can import the fixtures by name."""
