# SPDX-License-Identifier: Apache-2.0
"""Ports to other services; each has an embedded twin and the real service behind the same methods."""
