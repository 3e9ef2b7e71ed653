"""A mail server with STARTTLS and a login: python aiosmtpd_server.py CERTIFICATE KEY, prints its port, then each mail as JSON."""

import asyncio
import email
import json
import ssl
import sys
from email import policy

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=policy.default)
        parts = [part.get_content_type() for part in mail.walk()]
        print(json.dumps({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "subject": mail["subject"],
            "headers": sorted(mail.keys()),
            "parts": parts,
            "defects": [str(defect) for part in mail.walk() for defect in part.defects],
            "text": mail.get_body(("plain",)).get_content(),
            "html": mail.get_body(("html",)).get_content(),
        }), flush=True)
        return "250 taken"


def authenticate(server, session, envelope, mechanism, auth):
    return AuthResult(success=auth.login == b"shop" and auth.password == b"hunter2", handled=False)


async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(Handler(), hostname="127.0.0.1", tls_context=context, require_starttls=True,
                     auth_required=True, authenticator=authenticate),
        "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
