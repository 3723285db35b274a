# SPDX-License-Identifier: Apache-2.0
"""The OpenStack Compute API as software that one person can run, read and trust."""
