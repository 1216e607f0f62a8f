"""Whom we trust: the system's certificates, further ones for a host, or nobody's where the user says so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shipwheel.errors import ConfigError

if TYPE_CHECKING:
    import ssl


def trusted() -> ssl.SSLContext:
    """The system's certificates, or those of SSL_CERT_FILE and SSL_CERT_DIR; certifi's only where the system has none."""
    import ssl

    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"] and not _folder_has_certificates():
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def unchecked() -> ssl.SSLContext:
    """Any certificate: for hosts that may be spoken to without TLS at all."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def add_certificates(context: ssl.SSLContext, folder: Path) -> None:
    """What docker reads of a host's folder in /etc/docker/certs.d: *.crt are authorities, NAME.cert and NAME.key are ours.

    Raises:
        ConfigError: a file is malformed or cannot be read.
    """
    for path in sorted(folder.iterdir()):
        try:
            if path.suffix == ".crt":
                context.load_verify_locations(path)
            elif path.suffix == ".cert":
                context.load_cert_chain(path, path.with_suffix(".key"))
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(f"{path} cannot be used: {error}", hint="correct or remove it") from None


def _folder_has_certificates() -> bool:
    """Those of a folder are loaded when they are needed, so that a context does not count them."""
    import ssl

    folder = ssl.get_default_verify_paths().capath
    return bool(folder and any(Path(folder).iterdir()))
