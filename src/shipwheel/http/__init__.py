"""The one HTTP client: retries, time limits, credentials that stay secret, and `file:` URLs.

Proxies (HTTP_PROXY, NO_PROXY ...) are read from the environment by httpx; certificates are the system's, or those that
SSL_CERT_FILE and SSL_CERT_DIR name.
"""

from shipwheel.http.authorization import Authorizer
from shipwheel.http.client import MAX_REDIRECTS, Client
from shipwheel.http.errors import RETRYABLE, absent
from shipwheel.http.exchange import Body, Limits, Request, Traffic
from shipwheel.http.files import file_path

__all__ = ["MAX_REDIRECTS", "RETRYABLE", "Authorizer", "Body", "Client", "Limits", "Request", "Traffic", "absent", "file_path"]
