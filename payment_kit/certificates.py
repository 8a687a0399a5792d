"""The certificate a server shows, from files that may be replaced while it runs.

A pair that does not fit together, as while one file is written and the other not yet, is not used: the one before it
stays, and the log says so once.
"""

import ssl
import threading
from pathlib import Path
from typing import NamedTuple

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates

from payment_kit.errors import UsageProblem

Stamp = tuple[tuple[int, int, int] | None, ...]
log = structlog.get_logger(__name__)


class Pair(NamedTuple):
    """A key, its certificate with the chain, and whose client certificates are accepted (None: nobody asks for one)."""

    key: bytes
    chain: bytes
    client_ca: bytes | None


class Certificates:
    """The pair in the files now. Raises `UsageProblem` SETTING_INVALID when they cannot be used at the start.

    Any thread may ask.
    """

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None = None) -> None:
        self._files = (certificate, key, *([client_ca] if client_ca else []))
        self._lock = threading.Lock()
        self._stamp = self._stamped()
        self.pair = self._read()
        self._context = self._made()

    def newer(self) -> bool:
        """Look at the files; true when `pair` is another one now."""
        with self._lock:
            stamp = self._stamped()
            if stamp == self._stamp:
                return False
            self._stamp = stamp
            try:
                pair = self._read()
                self._context = self._made()
            except UsageProblem as problem:
                log.warning("certificate_kept", reason=problem.what)
                return False
            changed, self.pair = pair != self.pair, pair
            if changed:
                log.info("certificate_replaced")
            return changed

    def context(self) -> ssl.SSLContext:
        """For a server of Python's own TLS: each handshake takes the pair of its moment. Asks for no certificate."""

        def now(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            self.newer()
            connection.context = self._context

        outer = self._made()
        outer.sni_callback = now
        return outer

    def _stamped(self) -> Stamp:
        return tuple(_stamp(file) for file in self._files)

    def _read(self) -> Pair:
        certificate, key, *ca = self._files
        try:
            pair = Pair(key.read_bytes(), certificate.read_bytes(), ca[0].read_bytes() if ca else None)
            first = load_pem_x509_certificates(pair.chain)[0]
            if first.public_key() != load_pem_private_key(pair.key, None).public_key():
                raise ValueError("the key does not belong to the certificate")
            if pair.client_ca is not None:
                load_pem_x509_certificates(pair.client_ca)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            what = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error).splitlines()[0]
            raise UsageProblem(
                "SETTING_INVALID",
                f"PAYMENT_KIT_TLS_CERTIFICATE, _KEY and _CLIENT_CA cannot be used: {what}.",
                next_step="Give a certificate, its private key without a password and, for mutual TLS, a CA, all PEM.",
            ) from None
        return pair

    def _made(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self._files[0], self._files[1])
        except (OSError, ssl.SSLError) as error:
            what = f"PAYMENT_KIT_TLS_CERTIFICATE and PAYMENT_KIT_TLS_KEY cannot be used: {error}."
            raise UsageProblem("SETTING_INVALID", what) from None
        return context


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
