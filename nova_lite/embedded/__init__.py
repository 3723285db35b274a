# SPDX-License-Identifier: Apache-2.0
"""What makes one machine enough: a small identity API, a small image API and their stores."""
