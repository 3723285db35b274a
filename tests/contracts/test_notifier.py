# SPDX-License-Identifier: Apache-2.0
"""What carries notifications, and that it says so if it does not."""

import json
import logging

import pytest

from nova_lite import conf as our_conf
from nova_lite import errors
from nova_lite.cmd.wiring import Program
from nova_lite.notifications.port import NOBODY
from nova_lite.notifications.recorder import Recorder
from nova_lite.rpc import notifier
from nova_lite.rpc.notifier import Notifier
from tests.fixtures import processes

MESSAGE = {'message_id': '1', 'publisher_id': 'nova-api:desk', 'event_type': 'some.thing', 'priority': 'WARN',
           'payload': {'a': 'b'}, 'timestamp': '2026-01-01 00:00:00'}


def make_conf(url, *drivers):
    conf = our_conf.new()
    conf([], default_config_files=[], default_config_dirs=[])
    notifier.drivers(conf)
    conf.set_override('driver', list(drivers), group='oslo_messaging_notifications')
    conf.set_override('transport_url', url, group='oslo_messaging_notifications')
    return conf


@pytest.mark.parametrize(('url', 'drivers', 'used'), [
    ('rabbit://', (), []), ('rabbit://', ('noop',), []), ('rabbit://', ('messagingv2',), ['messagingv2']),
    ('local:///run/rpc', ('messagingv2',), []), ('local:///run/rpc', ('log', 'messaging'), ['log'])])
def test_which_drivers_are_used(url, drivers, used):
    assert notifier.drivers(make_conf(url, *drivers)) == used


@pytest.mark.parametrize('drivers', [(), ('noop',), ('log',)])
def test_somebody_listens_if_there_is_a_driver(drivers):
    program = Program(make_conf('local:///run/rpc', *drivers))
    if drivers == ('log',):
        assert isinstance(program.notifications, Recorder)
    else:
        assert program.notifications is NOBODY


def test_an_unknown_driver_is_refused():
    with pytest.raises(errors.StartError, match='pigeon.*messagingv2'):
        notifier.drivers(make_conf('rabbit://', 'pigeon'))


def test_the_log_is_a_driver(caplog):
    with caplog.at_level(logging.INFO):
        Notifier(make_conf('local:///run/rpc', 'log')).send(MESSAGE, {}, True)
    (record,) = [one for one in caplog.records if one.name == 'oslo.messaging.notification.some.thing']
    assert record.levelname == 'WARNING' and json.loads(record.message) == MESSAGE


def test_a_broker_that_is_away_is_an_error():
    conf = make_conf(f'rabbit://127.0.0.1:{processes.free_port()}/', 'messagingv2')
    one = Notifier(conf)
    with pytest.raises(errors.Unavailable, match='versioned_notifications.warn'):
        one.send(MESSAGE, {}, True)
    one.close()
