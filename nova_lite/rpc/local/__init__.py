# SPDX-License-Identifier: Apache-2.0
"""The ``local://<directory>`` transport: oslo.messaging between the processes of one machine, without a broker.

A process that serves RPC listens on one Unix socket; each of its servers puts a name for itself beside it, and a
client finds servers by looking at the names.

=============================  =======================================================================
``<directory>/s.<id>``         the socket of a process
``<directory>/<topic>/``       one symbolic link to such a socket for each server of the topic,
``    <server>@<id>-<n>``      several if several workers serve under the same name
=============================  =======================================================================

A connection belongs to one server: the client says which in its first frame.  A cast is one frame, a call is one
frame and its answer, with heartbeats before it if the client asked for them; calls do not share a connection.
Frames are JSON behind four bytes of length.

Nothing is stored, so what a killed server had not read is lost, as with a broker whose messages are acknowledged
when they are read.  What was sent to a server that stops in order is handled by it: shutting down the reading side
of a Unix socket lets the kernel refuse what comes later, and hand out what came before.
"""
