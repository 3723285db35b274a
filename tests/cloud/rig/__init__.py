# SPDX-License-Identifier: Apache-2.0
"""What the real services load from us: they run in an environment of their own, so nothing here imports the program."""
