# SPDX-License-Identifier: Apache-2.0
"""noVNC for browsers: found where the operator or the system has put it, opened by a page of ours if it has none."""

from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

#: The page that opens a console without being asked, as its name says; noVNC's own asks first unless it is told.
AUTO = '/vnc_auto.html'
_FULL = 'vnc.html'
_CORE = 'core/rfb.js'

# For a noVNC without pages, such as its npm package.
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<title>Console</title>
<style>
html, body { margin: 0; height: 100%; background: #222; color: #ddd; font: 14px sans-serif; }
body { display: flex; flex-direction: column; }
#status { padding: 4px 8px; }
#screen { flex: 1; min-height: 0; }
</style>
</head>
<body>
<div id="status">Connecting</div>
<div id="screen"></div>
<script type="module">
import RFB from './core/rfb.js';
const status = document.getElementById('status');
const path = new URLSearchParams(location.search).get('path') || '';
const url = new URL(path, location.href);
url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
const screen = new RFB(document.getElementById('screen'), url.href);
screen.scaleViewport = true;
screen.addEventListener('connect', () => { status.textContent = 'Connected'; screen.focus(); });
screen.addEventListener('desktopname', event => { status.textContent = event.detail.name; });
screen.addEventListener('disconnect', () => { status.textContent = 'Disconnected: open the console anew.'; });
</script>
</body>
</html>
"""


@dataclass(frozen=True)
class Page:
    """What is answered instead of a file: a text of a type, or another place to look at."""

    status: HTTPStatus
    text: str = ''
    kind: str = 'text/plain'
    location: str | None = None


def instead(web: Path | None, target: str) -> Page | None:
    """The answer to a request for a page; None if the file of that name in ``web`` is the answer."""
    if web is None:
        return Page(HTTPStatus.NOT_FOUND, 'Consoles of this proxy are opened by clients, not in a browser.\n')
    if not (web / _CORE).is_file():
        return Page(HTTPStatus.NOT_FOUND, f'There is no noVNC in {web}. Install the package novnc there, or name the '
                                          'directory that has it in [DEFAULT] web of nova.conf.\n')
    address = urlsplit(target)
    if address.path not in ('/', AUTO):
        return None
    if not (web / _FULL).is_file():
        return Page(HTTPStatus.OK, _PAGE, 'text/html; charset=utf-8')
    if address.path == AUTO and (web / AUTO[1:]).is_file() and 'autoconnect' in parse_qs(address.query):
        return None
    query = '' if 'autoconnect' in parse_qs(address.query) else 'autoconnect=true'
    own = AUTO if (web / AUTO[1:]).is_file() else f'/{_FULL}'
    return Page(HTTPStatus.FOUND, location=f'{own}?{"&".join(filter(None, (address.query, query)))}')
