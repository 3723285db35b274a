# SPDX-License-Identifier: Apache-2.0
"""Real guests: QEMU, driven through libvirt. Only ``connection`` imports libvirt, and only once it is needed."""
