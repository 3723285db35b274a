# SPDX-License-Identifier: Apache-2.0
"""What a write does before it leaves the API: check, store in one transaction, wake a conductor.

A command is a frozen dataclass in the imperative; its handler is a plain function of
(deps, context, command).
"""
