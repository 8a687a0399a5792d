"""`payment-kit certificate`: a self-signed certificate for trying TLS and for private networks."""

import ipaddress
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from payment_kit import config

DAYS = 397
"""How long it is valid; what the large browsers accept at most."""
OWN_NAMES = ("localhost", "127.0.0.1", "::1")


@click.command("certificate")
@click.option("--name", "given", multiple=True, help="A host name or address the service is called by; repeatable.")
def command(*, given: tuple[str, ...]) -> None:
    """Make a self-signed certificate in PAYMENT_KIT_HOME/tls, unless one is there.

    It is good for localhost, this machine's name and each --name, for 397 days. Callers trust certificate.pem itself;
    key.pem never leaves this machine. To renew it, remove certificate.pem.
    """
    home = config.load().home
    config.require_writable(home)
    folder = home.resolve() / "tls"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if certificate.exists():
        click.echo(f"There is {certificate} already.")
        return
    names = tuple(dict.fromkeys((*given, socket.gethostname(), *OWN_NAMES)))
    private = ec.generate_private_key(ec.SECP256R1())
    _write(key, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    # Last, so that where a certificate is, its key is too.
    _write(certificate, _signed(private, names).public_bytes(Encoding.PEM), 0o644)
    click.echo(f"✓ {certificate} for {', '.join(names)}")


def _signed(key: ec.EllipticCurvePrivateKey, names: tuple[str, ...]) -> x509.Certificate:
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "payment-kit")])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))  # clocks differ
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, and never readable by more than `mode` says."""
    made = path.with_suffix(".new")
    made.unlink(missing_ok=True)
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    made.replace(path)
