# SPDX-License-Identifier: Apache-2.0
"""A browser opens the URL that the openstack client prints, and shows what the guest has written."""

from pathlib import Path

import pytest

from nova_lite.embedded import imagestore
from nova_lite.virt.fake_screen import HEIGHT, WIDTH, PixelFormat, draw
from tests.fixtures import processes
from tests.fixtures.browser import PATIENCE, Browser

UP_OPTIONS = ('--driver', 'fake')
NOVNC = Path('/usr/share/novnc')
FAILED = "Boolean(document.querySelector('#noVNC_status.noVNC_status_error'))"


@pytest.fixture(scope='module')
def server(admin):
    """A server that runs."""
    admin.run(f'server create --image {imagestore.DEFAULT_IMAGE} --flavor m1.nano --nic none --wait shown')
    yield 'shown'
    admin.run('server delete --wait shown')


@pytest.fixture
def browser(tmp_path):
    if not NOVNC.exists():
        processes.missing('noVNC', 'novnc')
    with Browser(tmp_path) as browser:
        yield browser


def screen(admin, server, typed=''):
    """The picture that the console's text makes."""
    *lines, last = admin.run(f'console log show {server}').rstrip('\n').split('\n')
    return WIDTH, HEIGHT, draw([*lines, f'{last} {typed}'], PixelFormat(shifts=(0, 8, 16)))


def test_the_screen_of_a_guest_in_a_browser(admin, server, browser):
    url = admin.get(f'console url show --novnc {server}')['url']
    browser.open(url)
    before = screen(admin, server)
    processes.wait_until(lambda: browser.pixels() == before, PATIENCE, 'the screen of the guest')
    browser.write('root')
    after = screen(admin, server, 'root')
    processes.wait_until(lambda: browser.pixels() == after, PATIENCE, 'what was typed, on the screen')


def test_a_url_is_good_for_one_look(admin, server, browser):
    url = admin.get(f'console url show --novnc {server}')['url']
    browser.open(url)
    processes.wait_until(lambda: browser.pixels()[0], PATIENCE, 'the screen of the guest')
    browser.open('about:blank')
    browser.open(url)
    processes.wait_until(lambda: browser.evaluate(FAILED), PATIENCE, 'a page that says that it failed')
    assert browser.pixels() == (0, 0, b'')
