# SPDX-License-Identifier: Apache-2.0
"""What a request costs, beside what a bare application costs that does the same I/O in the same run."""
