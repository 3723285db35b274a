# SPDX-License-Identifier: Apache-2.0
"""All SQL, as plain functions that take a connection first."""
