# SPDX-License-Identifier: Apache-2.0
"""What shows that an accepted request survives the death of any process: the kill matrix and the storm."""
