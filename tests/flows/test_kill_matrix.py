# SPDX-License-Identifier: Apache-2.0
"""A few cases of the kill matrix, and the page on which all of them are published; ``make kill-matrix`` plays it."""

import re

import pytest

from tests.architecture.tree import ROOT
from tests.chaos import kill_matrix, stories, trapped

PAGE = ROOT / 'docs' / 'operator' / 'kill-matrix.rst'
#: Operation → what is played here: the moments that differ most from each other.
POINTS = {
    'build': ('accepted: after the commit', 'spawn handed out: after the commit', 'spawn: spawn done'),
    'attach a volume': ('volume_attach: attach done',),
    'resize, arrival fails': ('move_leave: leave done', 'move_arrive reported: before the commit'),
}


def play(kind, *names):
    table = kill_matrix.Table(print)
    with kill_matrix.cloud_of(kind) as cloud:
        player = kill_matrix.Player(cloud)
        for story in stories.STORIES:
            if story.name in names:
                cases = {case.point: case for case in reversed(player.record(story))}
                for point in POINTS[story.name]:
                    table.add(kind, player.run(cases[point]))
        assert set(cloud.stop()) == {0}
    print(table.counts())
    assert table.wrong == []


def test_on_one_machine():
    play(kill_matrix.kinds(None)[0], *POINTS)


def test_on_a_cluster(postgresql, rabbitmq):
    # The broker is started by the cloud itself; without one there is nothing to be done here.
    play(kill_matrix.kinds(postgresql)[1], 'build')


def test_the_published_page_is_whole():
    text = PAGE.read_text()
    assert 'do not edit' in text
    assert re.search(r'Kill matrix: \d+ kills in \d+ operations on 2 kinds of cloud; .* 0 wrong;', text)
    for story in stories.STORIES:
        assert f'{story.name.capitalize()}\n{"-" * len(story.name)}\n' in text, story.name
    assert kill_matrix.WRONG not in text
    rows = re.findall(r'   \* - (?:api|conductor|compute)\n     - .+\n((?:     - .+\n)+)', text)
    assert len(rows) > 300
    assert all(re.fullmatch(r'     - (?:(?:goal|ERROR|not accepted), \d+\.\d s|\\-)', cell)
               for row in rows for cell in row.splitlines())


@pytest.mark.parametrize(('point', 'server', 'others', 'wanted'), [
    (('api', 'accepted', '', ''), 'a', [], True),
    (('compute', 'received', 'a', 'o'), 'a', [], True),
    (('compute', 'received', 'b', 'o'), 'a', [], False),
    (('compute', 'received', 'a', 'o'), 'a', ['o'], False),
    (('compute', 'received', 'b', 'o'), '', [], True),
])
def test_a_trap_knows_its_server(point, server, others, wanted):
    assert trapped.Passed(*point).concerns(server, others) is wanted
