# SPDX-License-Identifier: Apache-2.0
"""The rules, pure: no I/O, no clock but for the name of now, nothing of the wire or the database."""
