# SPDX-License-Identifier: Apache-2.0
"""Password hashes of the embedded identity: PBKDF2-HMAC-SHA256 from the standard library.

The generated passwords carry 190 bits, so what protects them is not the cost of
the hash; the cost keeps a login far below 50 ms.  A hash names its own number of
rounds, so whoever writes a password of his own into ``identity.json`` may ask for more.
"""

import base64
import hashlib
import hmac
import secrets

SCHEME = 'pbkdf2-sha256'
ROUNDS = 60_000
MOST_ROUNDS = 2_000_000
LONGEST = 1024


def hash_password(password: str, rounds: int = ROUNDS) -> str:
    salt = secrets.token_bytes(16)
    return '$'.join((SCHEME, str(rounds), _text(salt), _text(_digest(password, salt, rounds))))


def matches(password: str, hashed: str) -> bool:
    """Compare in constant time; a hash that cannot be read matches nothing."""
    try:
        scheme, rounds_text, salt, wanted = hashed.split('$')
        rounds = int(rounds_text)
        if scheme != SCHEME or not 0 < rounds <= MOST_ROUNDS or len(password) > LONGEST:
            return False
        found = _digest(password, base64.b64decode(salt), rounds)
        return hmac.compare_digest(found, base64.b64decode(wanted))
    except ValueError:
        return False


def waste_time() -> None:
    """Take as long as a check does, so that the time of an answer does not tell which users exist."""
    _digest('nobody', b'no salt', ROUNDS)


def _digest(password: str, salt: bytes, rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac('sha256', password.encode(), salt, rounds)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
