"""TLS for a sandbox: an authority and a certificate, both made for the occasion."""

import ssl

import attrs


@attrs.frozen
class Certificates:
    """What a server and its clients need.

    Attributes:
        server: The server's context.
        client: A context that trusts the server, for ``aiohttp`` and others that take one.
        authority: The authority's certificate as PEM, for clients that want a file.
    """

    server: ssl.SSLContext
    client: ssl.SSLContext
    authority: bytes = attrs.field(repr=False)


def certificates(host: str) -> Certificates:
    """Make an authority and a certificate for a host.

    Raises:
        ModuleNotFoundError: The package ``trustme`` is not installed.
    """
    import trustme  # noqa: PLC0415  (optional: only who asks for TLS needs it)

    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(host, "localhost").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return Certificates(server, client, authority.cert_pem.bytes())
