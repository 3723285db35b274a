# SPDX-License-Identifier: Apache-2.0
"""The proxies of consoles: from a browser's WebSocket to the port where a guest's console listens."""
