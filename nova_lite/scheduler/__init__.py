# SPDX-License-Identifier: Apache-2.0
"""Which host takes a server: filter, weigh, claim. A library of the conductor, not a daemon."""
