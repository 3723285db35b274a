# SPDX-License-Identifier: Apache-2.0
"""The private servers keep what they stored when they are restarted, and serve databases apart."""

import pytest

from tests.fixtures import rabbitmq as broker


@pytest.fixture(params=['postgresql', 'mariadb'])
def database(request):
    return request.getfixturevalue(request.param)


def test_databases_are_apart_and_go_when_dropped(database):
    first, second = database.create_database(), database.create_database()
    database.execute('CREATE TABLE here (n INTEGER)', first)
    database.execute('CREATE TABLE here (n INTEGER)', second)
    for name in (first, second):
        database.drop_database(name)
    assert not {first, second} & {row[0] for row in database.execute(
        'SELECT schema_name FROM information_schema.schemata')}


@pytest.mark.parametrize('end', ['terminate', 'kill'])
def test_a_database_outlives_its_server(database, end):
    name = database.create_database()
    database.execute('CREATE TABLE here (n INTEGER)', name)
    database.execute('INSERT INTO here VALUES (7)', name)
    getattr(database, end)()
    assert not database.ready()
    database.start()
    assert list(database.execute('SELECT n FROM here', name)) == [(7,)]
    database.drop_database(name)


def test_a_broker_comes_back_on_its_port(rabbitmq):
    rabbitmq.kill()
    assert not broker.speaks_amqp(rabbitmq.port)
    rabbitmq.start()
    assert broker.speaks_amqp(rabbitmq.port)
