# SPDX-License-Identifier: Apache-2.0
"""What a server can learn about itself: the document, and the API that serves it to guests."""
