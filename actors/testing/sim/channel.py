"""The shipped channel over a simulated socket, with word of what goes through it."""

from __future__ import annotations

from collections import deque
from typing import Any

from actors.hosts.channel import SocketChannel
from actors.protocol.messages import Envelope
from actors.testing.sim.network import SimSocket
from actors.testing.sim.recorder import Recorder

__all__ = ["Line", "SimChannel"]


class Line:
    """One direction of a channel: what was sent and has not arrived.

    Args:
        sender: who writes.
        recipient: who reads.
    """

    def __init__(self, sender: str, recipient: str) -> None:
        self.sender = sender
        self.recipient = recipient
        # (id of the envelope, number in the history)
        self.under_way: deque[tuple[int, int]] = deque()


class SimChannel(SocketChannel):
    """A `SocketChannel` that tells the recorder what is sent and what arrives.

    Args:
        sock: the simulated socket.
        recorder: keeps the history.
        out: the direction in which this end writes.
        back: the direction from which it reads.
        **options: of `SocketChannel`.
    """

    def __init__(self, sock: SimSocket, recorder: Recorder, out: Line, back: Line, **options: Any) -> None:
        super().__init__(sock, **options)  # type: ignore[arg-type]
        self.sim_socket = sock
        self._recorder = recorder
        self._line_out = out
        self._line_back = back

    def _push(self) -> None:
        line = self._line_out
        for envelope in self._kept:
            number = self._recorder.sent(line.sender, line.recipient, envelope.message)
            line.under_way.append((envelope.id, number))
        super()._push()

    def receive(self, timeout: float | None = 0) -> list[Envelope]:
        """See `Channel.receive`."""
        envelopes = super().receive(timeout)
        line, recorder = self._line_back, self._recorder
        for envelope in envelopes:
            while line.under_way:
                identity, number = line.under_way[0]
                if identity > envelope.id:
                    # The second copy of one that has been written down.
                    break
                line.under_way.popleft()
                if identity == envelope.id:
                    recorder.received(number, line.recipient, "handled")
                    break
                recorder.received(number, line.recipient, "lost")
        return envelopes
