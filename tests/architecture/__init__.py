# SPDX-License-Identifier: Apache-2.0
"""Rules about the tree itself: who imports whom, how big things get, what is generated and fresh."""
