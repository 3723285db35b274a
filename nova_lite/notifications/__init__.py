# SPDX-License-Identifier: Apache-2.0
"""What other services are told of servers, flavors and the rest, and how it gets to the broker.

A notification is a row, written in the transaction that makes it true, and sent afterwards by a conductor.
"""
