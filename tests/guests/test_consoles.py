# SPDX-License-Identifier: Apache-2.0
"""Consoles of real guests: a browser shows what libvirt says that the screen shows, and the serial line carries on."""

import base64
from pathlib import Path

import pytest

from tests.fixtures import processes
from tests.fixtures.browser import Browser
from tests.fixtures.hypervisor import READY, LibvirtBench
from tests.fixtures.proxy import Site
from tests.fixtures.websocket import WebSocket

NOVNC = Path('/usr/share/novnc')
PATIENCE = 90.0
#: A picture of one black dot.
EMPTY = base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==')


@pytest.fixture
def driver(tmp_path):
    bench = LibvirtBench(tmp_path)
    driver = bench.connect()
    driver._conf.set_override('enabled', True, 'serial_console')
    driver.spec = bench.guest_spec()
    yield driver
    bench.close()


@pytest.fixture
def guest(driver):
    """A guest that has said that it is ready."""
    server_uuid = driver.spec.server.uuid
    driver.spawn(driver.spec)
    processes.wait_until(lambda: READY in driver.console_output(server_uuid), PATIENCE, 'a guest that is ready')
    return server_uuid


@pytest.fixture
def site(tmp_path, driver):
    site = Site(tmp_path, driver)
    yield site
    site.stop()
    site.db.dispose()


def screenshot(driver, server_uuid):
    """A guest's screen, as libvirt takes a picture of it: a PNG."""
    def take(domain):
        stream, pieces = domain.connect().newStream(), []
        domain.screenshot(stream, 0)
        stream.recvAll(lambda _, data, kept: kept.append(data) and None, pieces)
        stream.finish()
        return b''.join(pieces)

    return driver._domains.run(server_uuid, take)


def test_a_browser_shows_what_libvirt_says_that_is_shown(driver, guest, site, tmp_path):
    if not NOVNC.exists():
        processes.missing('noVNC', 'novnc')
    token = site.open(site.boot(uuid=guest), 'novnc')
    with Browser(tmp_path) as browser:
        browser.open(f'http://127.0.0.1:{site.proxy(web=NOVNC)}/vnc_auto.html?path=%3Ftoken%3D{token}')
        # A cursor blinks on it, so the two have to meet.
        processes.wait_until(lambda: browser.differs_from(screenshot(driver, guest)) == 0, PATIENCE, 'the same picture')
        assert browser.differs_from(EMPTY) > 100
        driver.destroy(guest)
        processes.wait_until(lambda: not browser.pixels()[0], PATIENCE, 'a page without a screen')


def test_the_serial_line_of_a_real_guest(driver, guest, site):
    with WebSocket(site.proxy(), f'/?token={site.open(site.boot(uuid=guest), "serial")}') as web:
        driver._domains.run(guest, lambda domain: domain.reset() and None)
        web.read_until(READY)
