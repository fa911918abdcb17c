"""Certificates and keys for a rehearsal, made anew for each and never kept.

In a real federation the server's certificate comes from an authority that hospitals trust already,
and each hospital makes its own key and sends the public half.
"""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

VALID = datetime.timedelta(days=2)
HERE = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
Key = ec.EllipticCurvePrivateKey


def make_certificates(server: Path, authority: Path) -> None:
    """Write ``server.key`` and ``server.pem`` into a folder, and the authority's certificate.

    The authority signs this one and is forgotten: its key never touches the disk.
    """
    root, key = (ec.generate_private_key(ec.SECP384R1()) for _ in range(2))
    alone = x509.BasicConstraints(ca=True, path_length=0)
    none = x509.BasicConstraints(ca=False, path_length=None)
    names = x509.SubjectAlternativeName(HERE)
    authority.write_bytes(_sign("authority", root, root, {alone: True}))
    (server / "server.pem").write_bytes(_sign("server", key, root, {none: True, names: False}))
    (server / "server.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )


def _sign(subject: str, key: Key, root: Key, extensions: dict[x509.ExtensionType, bool]) -> bytes:
    now, public = datetime.datetime.now(datetime.UTC), key.public_key()
    extensions = extensions | {
        x509.SubjectKeyIdentifier.from_public_key(public): False,
        x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()): False,
    }
    subject_name, issuer_name = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"rehearsal's {one}")])
        for one in (subject, "authority")
    )
    serial, start = x509.random_serial_number(), now - datetime.timedelta(minutes=5)
    builder = x509.CertificateBuilder(issuer_name, subject_name, public, serial, start, now + VALID)
    for extension, critical in extensions.items():
        builder = builder.add_extension(extension, critical)
    return builder.sign(root, SHA384()).public_bytes(Encoding.PEM)


def make_key(private: Path, public: Path) -> None:
    """Write a hospital's key pair, by which the SuperLink knows its SuperNode."""
    key = ec.generate_private_key(ec.SECP384R1())
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH))
