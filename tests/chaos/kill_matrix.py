# SPDX-License-Identifier: Apache-2.0
"""The kill matrix: every operation, killed at every boundary between two of its steps.

Each operation is played once without a kill, to find out which points it passes and in which processes.  Then it
is played once for each of these points, and the process that passes it is killed there.  Within 30 seconds the
server has to be at its goal, or in ERROR with a reason, and everything that ``books`` looks at has to be right.
"""

import argparse
import contextlib
import datetime
import functools
import json
import queue
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos import books, clouds, stories, trapped
from tests.chaos.clouds import Cloud
from tests.chaos.stories import Story
from tests.fixtures import processes

WITHIN = 30.0
#: Until what an evacuated host has left over is removed: its grace and some heartbeats.
LEFT_OVER = 90.0
GOAL, ERROR, NOTHING, WRONG = 'goal', 'ERROR', 'not accepted', 'WRONG'
#: An API that dies before this has accepted nothing.
ACCEPTED = ('api', 'accepted: after the commit')


@dataclass(frozen=True)
class Case:
    """A point of a story: in which kind of process, and how often it was passed before.

    ``early``: whoever dies there has accepted nothing.
    """

    story: Story
    role: str
    point: str
    times: int
    early: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a case."""

    case: Case
    word: str
    seconds: float
    says: str = ''


@dataclass
class Player:
    """Plays stories on one cloud."""

    cloud: Cloud
    errors: list[str] = field(default_factory=list)

    def record(self, story: Story) -> list[Case]:
        """Play it without a kill; the points that it passes."""
        server, others = self._begin(story, None)
        self._play(story, server)
        found = self._named(story, server)
        self._await(story, found)
        seen: Counter[tuple[str, str]] = Counter()
        cases = []
        for passed in trapped.read_points(self.cloud.directory / 'points'):
            if passed.concerns(found, others):
                early = passed.role == ACCEPTED[0] and passed[:2] != ACCEPTED and not seen[ACCEPTED]
                cases.append(Case(story, passed.role, passed.point, seen[passed[:2]], early))
                seen[passed[:2]] += 1
        self._clean(story, found)
        return cases

    def run(self, case: Case) -> Outcome | None:
        """Play it with a kill at the point; None if the point is not passed this time.

        That happens with a second attempt at a step, which a busy machine makes now and then.
        """
        try:
            server, _ = self._begin(case.story, case)
            before = self._seen(case.story, server)
            if not self._play(case.story, server, case):
                self._clean(case.story, self._named(case.story, server))
                return None
            begin = time.monotonic()
            if case.early:
                word = self._unchanged(case.story, server, before)
            else:
                server = self._named(case.story, server)
                word = self._await(case.story, server)
            taken = time.monotonic() - begin
            self._clean(case.story, server)
            return Outcome(case, word, taken)
        except (TimeoutError, AssertionError, RuntimeError) as error:
            self._recover()
            return Outcome(case, WRONG, WITHIN, str(error))

    def _begin(self, story: Story, case: Case | None) -> tuple[str, list[str]]:
        """Prepare the story and set the trap; its server, and operations that are over."""
        server = story.prepare(self.cloud)
        others = [row[0] for row in self.cloud.rows('SELECT id FROM operations')]
        for name in ('trap', 'sprung', 'points', 'faults'):
            (self.cloud.directory / name).unlink(missing_ok=True)
        if story.fails:
            (self.cloud.directory / 'faults').write_text(story.fails)
        if case is not None:
            part = self.cloud.directory / 'trap.part'
            known = '' if story.prepare is stories.named else server
            part.write_text(json.dumps({'at': [case.role, case.point], 'server': known, 'others': others,
                                        'times': case.times + 1}))
            part.rename(self.cloud.directory / 'trap')
        return server, others

    def _play(self, story: Story, server: str, case: Case | None = None) -> bool:
        """Ask, and wait until the trap has sprung, or nothing more can make it; whether it has."""
        with contextlib.suppress(*stories.LOST):
            story.ask(self.cloud, server)
        sprung = self.cloud.directory / 'sprung'
        if case is None:
            return False
        if not case.times:
            processes.wait_until(sprung.exists, WITHIN, f'the death at {case.point}')
            return True
        processes.wait_until(lambda: sprung.exists() or self._is_over(story, server), WITHIN, 'a death, or the end')
        if not sprung.exists():
            (self.cloud.directory / 'trap').unlink(missing_ok=True)
        return sprung.exists()

    def _is_over(self, story: Story, server: str) -> bool:
        with contextlib.suppress(*stories.LOST):
            known = stories.find(self.cloud, server) if story.prepare is stories.named else server
            if known and stories.status(self.cloud, known)[1] is None:
                return not books.problems(self.cloud, known)
        return False

    def _named(self, story: Story, server: str) -> str:
        """The id of a server that was known by its name alone until now."""
        if story.prepare is not stories.named:
            return server
        found: list[str] = []

        def made() -> bool:
            with contextlib.suppress(*stories.LOST):
                found[:] = [known for known in (stories.find(self.cloud, server),) if known]
            return bool(found)

        processes.wait_until(made, WITHIN, f'server {server}')
        return found[0]

    def _seen(self, story: Story, server: str) -> str | None:
        if story.prepare is stories.named:
            return stories.find(self.cloud, server)
        return stories.status(self.cloud, server)[0]

    def _unchanged(self, story: Story, server: str, before: str | None) -> str:
        """What was not accepted has changed nothing."""
        now: list[str | None] = []

        def answered() -> bool:
            with contextlib.suppress(*stories.LOST):
                now[:] = [self._seen(story, server)]
            return bool(now)

        processes.wait_until(answered, WITHIN, 'an API')
        wrong = books.problems(self.cloud, '' if story.prepare is stories.named else server)
        if story.apart:
            wrong = [text for text in wrong if 'guests' not in text]
        if now != [before] or wrong:
            raise RuntimeError(f'it was {before} and is {now[0]}; {"; ".join(wrong)}')
        return NOTHING

    def _await(self, story: Story, server: str) -> str:
        """Wait until all is well; how it ended."""
        seen: list[Any] = ['', None, None]
        wrong: list[str] = []

        def over() -> bool:
            with contextlib.suppress(*stories.LOST):
                seen[:] = stories.status(self.cloud, server)
                at_rest = seen[0] in (*story.ends, ERROR) and seen[1] is None
                wrong[:] = books.problems(self.cloud, server) if at_rest else [f'it is {seen[0]}/{seen[1]}']
                if story.apart:
                    wrong[:] = [text for text in wrong if 'guests' not in text]
                if not wrong and seen[0] in story.ends and not story.reached(self.cloud, server):
                    wrong[:] = ['it has not come to what was asked for']
            return not wrong

        try:
            processes.wait_until(over, WITHIN)
        except TimeoutError:
            raise TimeoutError(f'server {server} after {WITHIN:.0f} s: {"; ".join(wrong)}') from None
        return GOAL if seen[0] in story.ends else ERROR

    def _clean(self, story: Story, server: str) -> None:
        if story.apart:
            stories.raise_all(self.cloud)
        if not server.startswith(stories.BUILT):
            stories.remove(self.cloud, server)

    def _recover(self) -> None:
        """Go on after a case that went wrong, on whatever is left."""
        (self.cloud.directory / 'trap').unlink(missing_ok=True)
        with contextlib.suppress(AssertionError, *stories.LOST):
            stories.raise_all(self.cloud)

    def finish(self) -> list[str]:
        """What is wrong with the whole cloud in the end."""
        wrong: list[str] = []

        def clean() -> bool:
            wrong[:] = books.problems(self.cloud)
            return not wrong

        with contextlib.suppress(TimeoutError):
            processes.wait_until(clean, LEFT_OVER)
        return wrong


@dataclass(frozen=True)
class Kind:
    """One kind of cloud, and how to make one in a directory."""

    label: str
    make: Callable[[Path], Cloud]


@dataclass
class Table:
    """What was found on each kind of cloud."""

    say: Callable[[str], None]
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    guard: Any = field(default_factory=threading.Lock)

    def add(self, kind: Kind, outcome: Outcome | None) -> None:
        if outcome is None:
            return
        with self.guard:
            self.outcomes.setdefault(kind.label, []).append(outcome)
            if outcome.word == WRONG:
                self.wrong.append(f'{kind.label}: {outcome.case.story.name}, {outcome.case.role} killed at '
                                  f'"{outcome.case.point}" ({outcome.case.times + 1}): {outcome.says}')
                self.say(self.wrong[-1])

    def fail(self, text: str) -> None:
        with self.guard:
            self.wrong.append(text)
            self.say(text)

    def counts(self) -> str:
        """One line."""
        words = Counter(outcome.word for found in self.outcomes.values() for outcome in found)
        slowest = max((outcome.seconds for found in self.outcomes.values() for outcome in found), default=0.0)
        names = {outcome.case.story.name for found in self.outcomes.values() for outcome in found}
        return (f'kill matrix: {words.total()} kills in {len(names)} operations on {len(self.outcomes)} kinds of '
                f'cloud; {words[NOTHING]} of them before anything was accepted; of the others {words[GOAL]} at the '
                f'goal, {words[ERROR]} at ERROR with a reason, {len(self.wrong)} wrong; the slowest after '
                f'{slowest:.1f} s')


def play(kind: Kind, chosen: Sequence[Story], jobs: int, pick: Callable[[list[Case]], list[Case]],
         table: Table) -> None:
    """Play stories on a few clouds of a kind, side by side."""
    waiting: queue.SimpleQueue[Story] = queue.SimpleQueue()
    for story in chosen:
        waiting.put(story)
    threads = [threading.Thread(target=_one_cloud, args=(kind, waiting, pick, table)) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _one_cloud(kind: Kind, waiting: 'queue.SimpleQueue[Story]', pick: Callable[[list[Case]], list[Case]],
               table: Table) -> None:
    try:
        with cloud_of(kind) as cloud:
            player = Player(cloud)
            with contextlib.suppress(queue.Empty):
                while True:
                    story = waiting.get_nowait()
                    begin = time.monotonic()
                    cases = pick(player.record(story))
                    for case in cases:
                        table.add(kind, player.run(case))
                    table.say(f'{kind.label}: {story.name}: {len(cases)} kills, {time.monotonic() - begin:.0f} s')
            for text in player.finish():
                table.fail(f'{kind.label}: at the end: {text}')
            codes = cloud.stop()
            if any(codes):
                table.fail(f'{kind.label}: the processes ended with {codes}')
    except Exception as error:
        table.fail(f'{kind.label}: {type(error).__name__}: {error}')
        raise


@contextlib.contextmanager
def cloud_of(kind: Kind) -> Iterator[Cloud]:
    """A cloud with what stories need, which leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix='nova-lite-matrix-', ignore_cleanup_errors=True) as directory:
        cloud = clouds.ready(kind.make(Path(directory)))
        try:
            yield cloud
        finally:
            cloud.kill()


def kinds(database: Any) -> list[Kind]:
    """Both kinds of cloud; the second one only where a database server for it is given."""
    found = [Kind(clouds.OneMachine.label, lambda directory: clouds.OneMachine(
        directory, clouds.SETTINGS, hosts=3, traps=True))]
    if database is not None:
        found.append(Kind(clouds.Cluster.label, lambda directory: clouds.Cluster(
            directory, clouds.SETTINGS, database, hosts=3, traps=True)))
    return found


# ------------------------------------------------------------------------------------------ the published table

_HEAD = """\
.. SPDX-License-Identifier: Apache-2.0
.. Written by ``make kill-matrix``; do not edit.

Kill matrix
===========

Each row is a moment in an operation: a process that ``kill -9`` ended there, before it did anything else. Both
columns tell what had become of the server, and the seconds from the kill until then, with the restart of the
process in them. *goal* is what was asked for, *ERROR* the status ERROR with a reason in ``fault``. Where an
operation is said to fail, one step on a host failed in addition, and the goal is that the server is what it was or
on another host.

In each case the books balanced afterwards: quota, claims and the sums of each host; the checks of ``nova-manage
verify`` found nothing; no operation was left open; and the fake hypervisors held exactly the guests of the database.
``make kill-matrix`` does it all again.

"""


def page(table: Table, today: datetime.date) -> str:
    """The table as a page of the documentation."""
    labels = list(table.outcomes)
    cells: dict[Case, dict[str, Outcome]] = {}
    for label in labels:
        for outcome in table.outcomes[label]:
            cells.setdefault(outcome.case, {})[label] = outcome
    lines = [_HEAD + f'{table.counts().replace("kill", "Kill", 1)}. Run on {today.isoformat()}.\n']
    for story in stories.STORIES:
        rows = [case for case in cells if case.story is story]
        if not rows:
            continue
        title = story.name.capitalize()
        lines += [f'{title}\n{"-" * len(title)}\n',
                  '.. list-table::', '   :header-rows: 1', f'   :widths: 12 50{" 19" * len(labels)}', '',
                  '   * - Process', '     - Killed when', *(f'     - {label}' for label in labels)]
        for case in rows:
            again = f' ({case.times + 1})' if case.times else ''
            lines += [f'   * - {case.role}', f'     - {case.point}{again}']
            lines += [f'     - {_cell(cells[case].get(label))}' for label in labels]
        lines.append('')
    return '\n'.join(lines)


def _cell(outcome: Outcome | None) -> str:
    return f'{outcome.word}, {outcome.seconds:.1f} s' if outcome else '\\-'


# ------------------------------------------------------------------------------------------------- the command

def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog='kill-matrix', description=__doc__)
    parser.add_argument('--jobs', type=int, default=3, help='clouds of each kind, side by side')
    parser.add_argument('--only', action='append', default=[], metavar='NAME', help='play only this operation')
    parser.add_argument('--embedded', action='store_true', help='only on local:// and SQLite')
    parser.add_argument('--page', type=Path, metavar='FILE', help='write the table there')
    options = parser.parse_args(argv)
    chosen = [story for story in stories.STORIES if not options.only or story.name in options.only]
    began = time.monotonic()

    def say(text: str) -> None:
        print(f'{time.monotonic() - began:6.0f}  {text}', flush=True)

    table = Table(say)
    with contextlib.nullcontext(None) if options.embedded else clouds.database_server() as database:
        threads = [threading.Thread(target=functools.partial(play, kind, chosen, options.jobs, list, table))
                   for kind in kinds(database)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if options.page:
        options.page.write_text(page(table, datetime.date.today()))
    print(table.counts())
    return 1 if table.wrong else 0


if __name__ == '__main__':
    sys.exit(main())
