# SPDX-License-Identifier: Apache-2.0
"""How a database of an older release becomes one of this release."""
