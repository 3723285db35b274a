# SPDX-License-Identifier: Apache-2.0
"""Options: registered once, found wherever they lie, and reported when nothing reads them."""

import pytest

from nova_lite import conf, errors
from nova_lite.conf import check, files


def load(tmp_path, text, name='nova.conf'):
    path = tmp_path / name
    path.write_text(text)
    loaded = conf.new()
    loaded([], project='nova', default_config_files=[str(path)], default_config_dirs=[])
    return loaded


def unknown(tmp_path, text):
    return {(one.group, one.name): one.suggestion for one in check.unknown_options(load(tmp_path, text))}


def test_two_configurations_share_no_value():
    first, second = conf.new(), conf.new()
    first.set_override('instances', 3, group='quota')
    assert second.quota.instances == 10


def test_registering_twice_does_no_harm():
    assert conf.register_all(conf.new()).quota.cores == 20


def test_the_configuration_in_use_is_current(monkeypatch):
    monkeypatch.setattr(conf, '_current', [])
    with pytest.raises(RuntimeError):
        conf.current()
    chosen = conf.use(conf.new())
    assert conf.current() is chosen


def test_help_for_the_sample_has_one_line_for_each_paragraph():
    texts = [option.help for _, options in conf.list_opts() for option in options]
    assert all(text and '\n' not in text.replace('\n\n', '') for text in texts)


def test_known_options_are_not_reported(tmp_path):
    assert unknown(tmp_path, '[DEFAULT]\nhost = a\nreport-interval = 3\n[quota]\ncores = 2\n') == {}


def test_options_of_libraries_are_not_reported(tmp_path):
    assert unknown(tmp_path, """
[DEFAULT]
transport_url = rabbit://
debug = true
[database]
connection = sqlite://
[oslo_messaging_rabbit]
rabbit_quorum_queue = true
[keystone_authtoken]
auth_type = password
auth_url = http://localhost/identity
username = nova
www_authenticate_uri = http://localhost/identity
""") == {}


@pytest.mark.parametrize(('text', 'found', 'suggestion'), [
    ('[DEFAULT]\nhots = a\n', ('DEFAULT', 'hots'), '[DEFAULT] host'),
    ('[databse]\nconnection = a\n', ('databse', 'connection'), '[database] connection'),
    ('[DEFAULT]\ncores = 3\n', ('DEFAULT', 'cores'), '[quota] cores'),
    ('[keystone_authtoken]\nauth_type = password\nnonsense = a\n', ('keystone_authtoken', 'nonsense'), None),
    ('[quota]\nzzz = 3\n', ('quota', 'zzz'), None),
])
def test_an_option_that_nothing_reads_is_reported(tmp_path, text, found, suggestion):
    assert unknown(tmp_path, text) == {found: suggestion}


def test_the_report_names_the_file(tmp_path):
    [found] = check.unknown_options(load(tmp_path, '[quota]\ninstnces = 3\n'))
    assert str(found) == f'{tmp_path}/nova.conf: nothing reads [quota] instnces; did you mean [quota] instances?'


def test_a_file_beside_the_configuration_wins(tmp_path):
    (tmp_path / 'api-paste.ini').write_text('')
    assert files.find(load(tmp_path, ''), 'api-paste.ini') == tmp_path / 'api-paste.ini'


def test_the_file_of_the_package_is_found_without_configuration(tmp_path):
    loaded = conf.new()
    loaded([], project='nova', default_config_files=[], default_config_dirs=[])
    assert files.find(loaded, 'api-paste.ini').read_text()


def test_a_missing_file_is_refused_with_the_places(tmp_path):
    with pytest.raises(errors.StartError, match=f'no file missing.ini in any of {tmp_path}, /etc/nova'):
        files.find(load(tmp_path, ''), 'missing.ini')
    with pytest.raises(errors.StartError, match='no file /nowhere/x'):
        files.find(load(tmp_path, ''), '/nowhere/x')
