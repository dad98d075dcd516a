"""In front of a real registry: a proxy that counts requests, with a token service of its own."""

import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import aiohttp
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

_HOP_BY_HOP = {"transfer-encoding", "content-length", "connection", "host", "content-encoding"}


class Front:
    """A proxy in front of a registry.

    Attributes:
        requests: Method, path with query, and bytes of the body of each request that was forwarded.
        asked: The scopes that each request for a token asked for.
        withheld: Scopes that the token service does not grant, and does not say so.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, int]] = []
        self.asked: list[list[str]] = []
        self.withheld: set[str] = set()
        self.url = ""
        self.upstream = ""
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
        now = datetime.now(UTC)
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def uploads(self) -> list[tuple[str, str, int]]:
        """The requests that carry a blob's bytes, or finish an upload."""
        return [
            (method, path, size)
            for method, path, size in self.requests
            if "/blobs/uploads/" in path and (method in {"PATCH", "PUT"} or size)
        ]

    def mounts(self) -> list[str]:
        return [path for method, path, _ in self.requests if method == "POST" and "mount=" in path]

    def settings(self, folder: Path) -> str:
        """The registry's configuration of tokens that come from here."""
        bundle = folder / "bundle.pem"
        bundle.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        return (
            f"{{token: {{realm: '{self.url}/token', service: tests, issuer: tests,"
            f" rootcertbundle: {bundle}}}}}"
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        runner = web.ServerRunner(web.Server(self._answer))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession(auto_decompress=False) as self._http:
            try:
                yield self
            finally:
                await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        if request.path == "/token":
            scopes = request.query.getall("scope", [])
            self.asked.append(scopes)
            return web.json_response({"token": self._token(scopes), "expires_in": 300})
        body = await request.read()
        self.requests.append((request.method, request.raw_path, len(body)))
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
        async with self._http.request(
            request.method,
            f"{self.upstream}{request.raw_path}",
            data=body,
            headers=headers,
            allow_redirects=False,
        ) as answered:
            content = await answered.read()
            kept = [(k, v) for k, v in answered.headers.items() if k.lower() not in _HOP_BY_HOP]
            return web.Response(status=answered.status, body=content, headers=kept)

    def _token(self, scopes: list[str]) -> str:
        access = []
        for scope in (one for value in scopes for one in value.split(" ")):
            if scope not in self.withheld:
                kind, name, actions = scope.split(":")
                access.append({"type": kind, "name": name, "actions": actions.split(",")})
        certificate = self._certificate.public_bytes(serialization.Encoding.DER)
        now = int(time.time())
        head = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(certificate).decode()]}
        claims = {
            "iss": "tests",
            "sub": "user",
            "aud": "tests",
            "exp": now + 300,
            "nbf": now - 10,
            "iat": now,
            "jti": "1",
            "access": access,
        }
        signed = ".".join(_url_safe(json.dumps(part).encode()) for part in (head, claims))
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_url_safe(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _url_safe(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
