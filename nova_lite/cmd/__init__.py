# SPDX-License-Identifier: Apache-2.0
"""The commands: the only place where parts are wired together and the global configuration is read."""
