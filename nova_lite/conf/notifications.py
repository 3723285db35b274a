# SPDX-License-Identifier: Apache-2.0
"""What other services are told of servers and the rest; whether they are is up to [oslo_messaging_notifications]."""

from oslo_config import cfg

GROUP = 'notifications'

OPTS = [
    cfg.StrOpt('notification_format', default='unversioned', choices=[
        ('unversioned', 'flat ones, for servers alone, as Ceilometer and Designate know them'),
        ('versioned', 'those whose payload has a name and a version'),
        ('both', 'each of them'),
    ], help="""
The form of notifications. They are sent only if [oslo_messaging_notifications] driver is set, as in
`driver = messagingv2`; without it nothing is written down and nothing sent.
"""),
    cfg.ListOpt('versioned_notifications_topics', default=['versioned_notifications'], help="""
Topics of versioned notifications, each followed by a dot and the priority. Unversioned ones go to
[oslo_messaging_notifications] topics.
"""),
    cfg.StrOpt('notify_on_state_change', choices=[
        ('vm_state', 'when the state of a server changes'),
        ('vm_and_task_state', 'also when what is being done to it changes'),
    ], help="""
When instance.update is sent. Without a value it is not sent at all; with one, changes of names and tags are told, too.
"""),
    cfg.BoolOpt('bdms_in_notifications', default=False, help="""
Whether versioned notifications list the volumes of a server.
"""),
    cfg.StrOpt('default_level', default='INFO', choices=['DEBUG', 'INFO', 'WARN', 'ERROR', 'CRITICAL'], help="""
Priority of notifications that tell of no error.
"""),
    cfg.IntOpt('outbox_limit', default=250000, min=1000, help="""
Notifications that may wait for the broker. If it is away for so long that there are more, the oldest are dropped,
and the log of the conductor says how many. One takes about 4 KiB.
"""),
]
