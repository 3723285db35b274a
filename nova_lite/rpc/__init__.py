# SPDX-License-Identifier: Apache-2.0
"""Messages between the processes; the only package that imports oslo.messaging."""
