# SPDX-License-Identifier: Apache-2.0
"""The yardstick: an eventlet application that does one SELECT or INSERT and dumps the same JSON.

    python -m benchmarks.bare PORT DATABASE_URL ANSWERS.json

``ANSWERS.json`` maps a path to the body that nova-lite gave for it; the bare application reads the
same rows, throws them away and sends that body, dumped anew for each request.
"""

import eventlet

eventlet.monkey_patch()

import json  # noqa: E402
import sys  # noqa: E402
import uuid  # noqa: E402
from typing import Any  # noqa: E402
from urllib.parse import parse_qs  # noqa: E402

import eventlet.wsgi  # noqa: E402
import sqlalchemy as sa  # noqa: E402


def make(url: str, answers: dict[str, Any]) -> Any:
    """The WSGI application."""
    engine = sa.create_engine(url, isolation_level='AUTOCOMMIT')
    one = sa.text('SELECT * FROM servers WHERE uuid = :uuid')
    many = sa.text('SELECT * FROM servers WHERE NOT deleted ORDER BY created_at DESC, id DESC LIMIT :limit')
    flavors = sa.text('SELECT * FROM flavors ORDER BY flavorid')
    insert = sa.text('INSERT INTO benchmark (id, body) VALUES (:id, :body)')
    with engine.connect() as connection:
        connection.execute(sa.text('CREATE TABLE IF NOT EXISTS benchmark (id VARCHAR(36) PRIMARY KEY, body TEXT)'))

    def query(path: str, environ: dict[str, Any]) -> None:
        with engine.connect() as connection:
            if path.endswith('/insert'):
                connection.execute(insert, {'id': str(uuid.uuid4()), 'body': 'x' * 500})
            elif path.endswith('/detail') and 'flavors' in path:
                connection.execute(flavors).all()
            elif path.endswith('/detail'):
                limit = int(parse_qs(environ['QUERY_STRING'])['limit'][0])
                connection.execute(many, {'limit': limit}).all()
            elif '/servers/' in path:
                connection.execute(one, {'uuid': path.rpartition('/')[2]}).all()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        path = environ['PATH_INFO']
        query(path, environ)
        query_string = environ.get('QUERY_STRING')
        key = path + (f'?{query_string}' if query_string else '')
        body = json.dumps(answers.get(key, {})).encode()
        start_response('200 OK', [('Content-Type', 'application/json'), ('Content-Length', str(len(body)))])
        return [body]

    return app


if __name__ == '__main__':
    with open(sys.argv[3]) as file:
        application = make(sys.argv[2], json.load(file))
    eventlet.wsgi.server(eventlet.listen(('127.0.0.1', int(sys.argv[1]))), application, log_output=False)
