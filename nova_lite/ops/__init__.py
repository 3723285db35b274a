# SPDX-License-Identifier: Apache-2.0
"""What a write does before it leaves the API: check state and quota, write the rows, wake a worker."""
