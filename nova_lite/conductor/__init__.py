# SPDX-License-Identifier: Apache-2.0
"""Carries accepted work to its end: takes it from the list, has a host do it, writes down what came of it."""
