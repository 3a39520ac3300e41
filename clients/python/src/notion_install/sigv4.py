"""Signs the requests of :class:`SignedRoutes` with botocore (AWS Signature Version 4). Needs the extra ``[boto3]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import NoCredentialsError, NoRegionError
from botocore.httpsession import URLLib3Session

if TYPE_CHECKING:
    import boto3

    from ._transport import Send


def signed_send(session: boto3.Session, *, region: str | None = None, timeout_secs: int = 29) -> Send:
    """A ``send`` for :class:`SignedRoutes`, with the session's credentials: fresh ones each time, if they end.

    Sends once, through a pool of connections that threads share, and follows no redirect.

    :param region: the stack's, by default the session's.
    :param timeout_secs: API Gateway answers within 29 seconds.
    """
    http = URLLib3Session(timeout=timeout_secs)
    region = region or session.region_name
    if not region:
        raise NoRegionError

    def send(method: str, url: str, body: bytes) -> tuple[int, bytes]:
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        request = AWSRequest(method, url, {"content-type": "application/json"} if body else {}, body)
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", region).add_auth(request)
        response = http.send(request.prepare())
        return response.status_code, response.content

    return send
