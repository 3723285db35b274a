# SPDX-License-Identifier: Apache-2.0
"""What happens on one compute host: steps on its hypervisor, and reports to the conductor.

Nothing here knows a database; whatever must be remembered goes to the conductor in a report.
"""
