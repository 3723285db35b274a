# SPDX-License-Identifier: Apache-2.0
"""Filters of the pipeline that are our own; each file offers a paste ``factory``."""
