# SPDX-License-Identifier: Apache-2.0
"""A short storm on one machine; ``make storm`` is the whole of it, on a cluster."""

from tests.chaos import storm

SEED = 'short'
REQUESTS = 320


def test_nothing_is_lost_and_nothing_is_stuck(capsys):
    with storm.cloud_of('embedded') as cloud:
        result = storm.storm(cloud, SEED, REQUESTS, pause=0.5)
        codes = cloud.stop()
    with capsys.disabled():
        print(f'\n  {result.line()}', end='', flush=True)
    assert result.problems == []
    assert (result.words['lost'], result.words['stuck'], codes) == (0, 0, [0])
    assert result.killed and result.words['done'] > REQUESTS / 2


def test_the_seed_decides_what_is_asked_for():
    class Nobody:
        """Only its kind of cloud matters."""

    def chosen(seed):
        killer = storm.Killer(Nobody(), seed, 1)
        client = storm.Client(Nobody(), seed, 3, 10)
        return [killer._random.random() for _ in range(5)] + [client._random.random() for _ in range(5)]

    assert chosen('1') == chosen('1') != chosen('2')
