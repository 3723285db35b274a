# SPDX-License-Identifier: Apache-2.0
"""Key pairs: what is accepted as a public key, its fingerprint, and new ones.

Making an RSA key takes a noticeable part of a second; run it where it holds up nobody.
"""

import base64
import datetime
import hashlib
from dataclasses import dataclass

from nova_lite import errors

SSH = 'ssh'
X509 = 'x509'
KINDS = (SSH, X509)

_BITS = 2048
_EXPONENT = 65537
_COMMENT = 'Generated-by-Nova'
_VALID_DAYS = 3650
# Microsoft's name for the login of a certificate's owner, by which Windows maps it to an account.
_USER_PRINCIPAL_NAME = '1.3.6.1.4.1.311.20.2.3'
_UTF8_STRING = 0x0C


@dataclass(frozen=True)
class NewKey:
    """A key that was just made; nobody keeps the private half but its owner."""

    public_key: str
    private_key: str
    fingerprint: str


def fingerprint(kind: str, public_key: str) -> str:
    """The fingerprint of a key of ``kind``; errors.Invalid if it is none."""
    return _certificate_fingerprint(public_key) if kind == X509 else _ssh_fingerprint(public_key)


def generate(kind: str, user_id: str) -> NewKey:
    """A new pair; a certificate is made out to the user."""
    return _new_certificate(user_id) if kind == X509 else _new_ssh_key()


def _colons(digest: bytes) -> str:
    return digest.hex(':')


def _ssh_fingerprint(public_key: str) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        serialization.load_ssh_public_key(public_key.encode())
        blob = base64.b64decode(public_key.split()[1])
    except (ValueError, IndexError, UnsupportedAlgorithm):
        raise errors.Invalid('public_key is not an SSH public key, such as a line of ~/.ssh/id_ed25519.pub.') from None
    return _colons(hashlib.md5(blob, usedforsecurity=False).digest())


def _certificate_fingerprint(certificate: str) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    try:
        # The wire fixes this hash.
        return _colons(x509.load_pem_x509_certificate(certificate.encode()).fingerprint(hashes.SHA1()))
    except ValueError:
        raise errors.Invalid('public_key is not an X.509 certificate in PEM form.') from None


def _new_ssh_key() -> NewKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(_EXPONENT, _BITS)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
                                serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    line = f'{public.decode()} {_COMMENT}'
    return NewKey(line, private.decode(), _ssh_fingerprint(line))


def _new_certificate(user_id: str) -> NewKey:
    """A self-signed certificate for WinRM; its private half is a PKCS #12 file without a password, in Base64."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import pkcs12

    key = rsa.generate_private_key(_EXPONENT, _BITS)
    # X.520 ends a common name at 64 characters; the principal name below has all of it.
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, user_id[:64])])
    principal = f'{user_id}@localhost'.encode()
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now).not_valid_after(now + datetime.timedelta(days=_VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.OtherName(
            x509.ObjectIdentifier(_USER_PRINCIPAL_NAME), _der(_UTF8_STRING, principal))]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256()))
    bundle = pkcs12.serialize_key_and_certificates(None, key, certificate, None, serialization.NoEncryption())
    return NewKey(certificate.public_bytes(serialization.Encoding.PEM).decode(), base64.b64encode(bundle).decode(),
                  _colons(certificate.fingerprint(hashes.SHA1())))


def _der(tag: int, content: bytes) -> bytes:
    """One value in DER, of at most 65,535 bytes."""
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    size = len(content).to_bytes(2, 'big').lstrip(b'\0')
    return bytes((tag, 0x80 | len(size))) + size + content
