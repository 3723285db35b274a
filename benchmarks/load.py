# SPDX-License-Identifier: Apache-2.0
"""Sends requests from a process of its own and prints what they took, as JSON.

    python -m benchmarks.load '{"url": …, "path": …, "number": …, "clients": …, "headers": {…}}'
"""

import http.client
import json
import sys
import threading
import time
from typing import Any


class Load:
    """``number`` requests, dealt to ``clients`` kept connections."""

    def __init__(self, host: str, path: str, number: int, clients: int = 1, method: str = 'GET',
                 headers: dict[str, str] | None = None, body: str | None = None) -> None:
        self._host = host
        self._request = (method, path, body, headers or {})
        self._left = number
        self._clients = clients
        self._lock = threading.Lock()
        self.times: list[float] = []
        self.wrong: list[int] = []

    def run(self) -> dict[str, Any]:
        """Send all; seconds, percentiles in ms, and how many answers were no success."""
        begin = time.perf_counter()
        threads = [threading.Thread(target=self._client) for _ in range(self._clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - begin
        ordered = sorted(self.times) or [0.0]
        return {'number': len(self.times), 'seconds': seconds, 'wrong': len(self.wrong),
                'p50': ordered[len(ordered) // 2] * 1000, 'p99': ordered[int(len(ordered) * 0.99)] * 1000}

    def _client(self) -> None:
        connection = http.client.HTTPConnection(self._host, timeout=120)
        connection.connect()
        while self._take():
            begin = time.perf_counter()
            connection.request(*self._request)
            answer = connection.getresponse()
            answer.read()
            self.times.append(time.perf_counter() - begin)
            if answer.status >= 300:
                self.wrong.append(answer.status)
        connection.close()

    def _take(self) -> bool:
        with self._lock:
            self._left -= 1
            return self._left >= 0


if __name__ == '__main__':
    print(json.dumps(Load(**json.loads(sys.argv[1])).run()))
