# SPDX-License-Identifier: Apache-2.0
"""Policy files are read between requests, never within one."""

import itertools
import os

import pytest
from oslo_policy import opts

from nova_lite import conf as options
from nova_lite import errors
from nova_lite.auth import policy
from nova_lite.auth.context import RequestContext

LIST = 'os_compute_api:servers:index'
SHOW = 'os_compute_api:servers:show'
READER = RequestContext(user_id='user', project_id='project', roles=['reader'])


class Files:
    """The operator's policy files; a later text always has a later time, as a file system may not tell them apart."""

    def __init__(self, directory):
        self.main = directory / 'policy.yaml'
        self.more = directory / 'policy.d' / 'more.yaml'
        self.more.parent.mkdir()
        self._times = itertools.count(2_000_000_000, 10)
        self.write(self.main, '')

    def write(self, path, text):
        path.write_text(text)
        now = next(self._times)
        os.utime(path, (now, now))
        os.utime(path.parent, (now, now))


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


@pytest.fixture
def engine(files, monkeypatch):
    monkeypatch.setattr(policy, '_LOOK_AGAIN', 0.0)
    return make(files)


def make(files):
    conf = options.new()
    conf([], default_config_files=[])
    opts.set_defaults(conf)  # with a file it would become the default of every later test in this process
    conf.set_override('policy_file', str(files.main), 'oslo_policy')
    conf.set_override('policy_dirs', [str(files.more.parent)], 'oslo_policy')
    rules = [policy.rule(name, policy.READER_OR_ADMIN, 'See.', ('GET', '/')) for name in (LIST, SHOW)]
    return policy.Policy(conf, rules)


def test_a_change_is_seen_at_the_next_look(engine, files):
    assert engine.allows(READER, LIST)
    files.write(files.main, f'"{LIST}": "!"\n')
    assert not engine.allows(READER, LIST)
    files.write(files.more, f'"{LIST}": "@"\n')
    assert engine.allows(READER, LIST)


@pytest.mark.parametrize('name', ['main', 'more'])
def test_a_broken_file_changes_nothing_and_fails_no_request(engine, files, name):
    files.write(files.main, f'"{LIST}": "!"\n')
    assert not engine.allows(READER, LIST)
    files.write(files.main, f'"{LIST}": "@"\n' if name == 'more' else '{')
    files.write(files.more, '{')
    assert not engine.allows(READER, LIST)
    # Not asked before, so no remembered answer stands in for the decision.
    assert engine.allows(READER, SHOW)
    files.write(files.main, '')
    files.write(files.more, '')
    assert engine.allows(READER, LIST)


def test_a_file_that_breaks_between_two_looks_fails_no_request(files):
    engine = make(files)
    assert engine.allows(READER, LIST)
    files.write(files.main, '{')
    assert engine.allows(READER, SHOW)
    with pytest.raises(Exception, match='flow node'):
        engine.reload()
    assert engine.allows(READER, LIST)


def test_a_broken_file_refuses_the_start(files):
    files.write(files.main, '{')
    with pytest.raises(errors.StartError, match='The policy cannot be used'):
        make(files)
