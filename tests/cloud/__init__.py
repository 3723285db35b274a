# SPDX-License-Identifier: Apache-2.0
"""The program among real OpenStack services; ``make cloud`` installs them and runs what is here."""
