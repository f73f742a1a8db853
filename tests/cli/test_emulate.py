"""`emulate`: what it cannot do is told in a sentence."""

from __future__ import annotations

import socket
from collections.abc import Callable

from tests.e2e.clouds import Cloud
from tests.e2e.commands import Exporter


def test_a_port_that_is_taken_is_named(
    exporter_for: Callable[[Cloud | None], Exporter],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = exporter_for(None).command("emulate", "--preset", "tiny", "--port", str(port))
    assert run.code == 1
    assert run.said == (
        f"registry-exporter: The emulator cannot listen on 127.0.0.1:{port}: Address already in "
        "use; name another --port, or 0 for any that is free."
    )
