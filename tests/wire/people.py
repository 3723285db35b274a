# SPDX-License-Identifier: Apache-2.0
"""Who asks in the wire tests, and who of them may do what a policy rule of Nova's defaults guards."""

#: user: project and roles of those whom the embedded identity does not make by itself.
USERS = (
    ('reader', 'demo', ('reader',)),
    ('manager', 'demo', ('manager', 'member', 'reader')),
    ('other', 'other', ('member', 'reader')),
    ('servicer', 'service', ('service',)),
)

EVERYBODY = ('nobody', 'servicer', 'other', 'reader', 'manager', 'member', 'admin')
_FAULTS = {403: 'forbidden', 404: 'itemNotFound'}


def _refused(**codes: int) -> dict[str, int]:
    return {'nobody': 401, **codes}


#: profile: who is refused with which code; everybody else may.  What belongs to another project is not there.
PROFILES: dict[str, dict[str, int]] = {
    'anybody': _refused(),
    'readers': _refused(servicer=403),
    'members': _refused(servicer=403, reader=403),
    'administrators': _refused(servicer=403, other=403, reader=403, manager=403, member=403),
    'the member and administrators': _refused(servicer=403, other=403, reader=403, manager=403),
    'readers of the server': _refused(servicer=404, other=404),
    'members of the server': _refused(servicer=404, other=404, reader=403),
    'managers of the server': _refused(servicer=404, other=404, reader=403, member=403),
    'administrators of the server': _refused(servicer=404, other=404, reader=403, manager=403, member=403),
}


def fault(code: int) -> str | None:
    """The name of the error that goes with a refusal, if it is one of the compute API."""
    return _FAULTS.get(code)
