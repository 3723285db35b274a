# SPDX-License-Identifier: Apache-2.0
"""The HTTP machinery that every resource hangs on, and that knows no resource."""
