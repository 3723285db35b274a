# SPDX-License-Identifier: Apache-2.0
"""What Compute once did for other services, frozen in the shape that it had until 2.35."""
