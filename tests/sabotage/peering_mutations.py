"""Known-bad changes of the books that two processes keep of one connection: their machine must find each."""

from __future__ import annotations

from tests.sabotage.mutation import Mutation

__all__ = ["PEERING_MUTATIONS"]

PEERING_MUTATIONS = (
    Mutation(
        "a question ends twice",
        "actors.core.peering",
        "return self._waiting.pop(number, None)\n",
        "return self._waiting.get(number)\n",
        "B3",
        "who was answered is told again that nobody answers",
    ),
    Mutation(
        "who asks too late waits for ever",
        "actors.core.peering",
        "        if self._closed and self._waiting.pop(number, None) is not None:\n            return None\n",
        "",
        "F2",
        "a question is taken in over a connection that is lost",
    ),
    Mutation(
        "one is forgotten when the connection is lost",
        "actors.core.peering",
        "for number in sorted(self._waiting):",
        "for number in sorted(self._waiting)[1:]:",
        "F2",
        "who asked first is never told that the connection is lost",
    ),
    Mutation(
        "what waits for room is overtaken",
        "actors.core.peering",
        "            waiting.append(message)\n",
        "            waiting.appendleft(message)\n",
        "B6",
        "of what waits for room the last goes first",
    ),
    Mutation(
        "nobody tells that there is room again",
        "actors.core.peering",
        "        del self._parked[actor]\n        return True\n",
        "        del self._parked[actor]\n        return False\n",
        "A4",
        "a sender that was held is held for ever",
    ),
)
