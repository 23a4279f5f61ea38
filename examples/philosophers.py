"""Dining philosophers in processes: one is killed with forks in hand, and the others go on.

Each philosopher is an agent, each fork a lock that all processes know by its name. First they take the left fork and then
the right one, which is how they get into a deadlock: it is found, all in it are told, and they try again. Then they take
the lower fork first, which rules it out, and one of them is killed with both forks in hand: these are free at once, and its
task is run again by another process.
"""

from __future__ import annotations

import os
import signal
import sys

from actors import ActorSystem, DeadlockDetected, Worker, task

SEATS = 5
MEALS = 3


class Philosopher(Worker):
    """Thinks, and eats with two forks."""

    @task(retries=3)
    def dine(self, seat: int) -> int:
        """Left fork first. How often there was a deadlock before the meals were eaten."""
        left, right = self.lock(f"fork {seat}"), self.lock(f"fork {(seat + 1) % SEATS}")
        deadlocks, meals = 0, 0
        while meals < MEALS:
            try:
                with left:
                    if not deadlocks and not meals:
                        # All have their left fork before anybody reaches for the right one.
                        self.barrier("table", SEATS, timeout=30).wait()
                    with right:
                        meals += 1
            except DeadlockDetected:
                deadlocks += 1
                self.sleep(self.random.uniform(0, 0.05))
        return deadlocks

    @task(retries=3)
    def dine_in_order(self, seat: int) -> tuple[int, int]:
        """Lower fork first. In which attempt, and the highest fencing number of a fork."""
        lower, higher = sorted((seat, (seat + 1) % SEATS))
        fence = 0
        for meal in range(MEALS):
            with self.lock(f"fork {lower}") as first, self.lock(f"fork {higher}") as second:
                if seat == 0 and meal == 0 and self.attempt == 1:
                    self.flag("eating").set()
                    self.sleep(3600)
                fence = max(fence, first.fence, second.fence)
        return self.attempt, fence


def main() -> None:
    """Have two dinners."""
    with ActorSystem({Philosopher: SEATS}, max_agents=SEATS) as system:
        deadlocks = [system.submit(Philosopher.dine, seat) for seat in range(SEATS)]
        found = sum(future.result(timeout=60) for future in deadlocks)
        sys.stdout.write(f"left fork first: {SEATS} ate {MEALS} meals each, and a deadlock was told {found} times\n")

        dinner = [system.submit(Philosopher.dine_in_order, 0)]
        system.flag("eating").wait(timeout=60)
        dinner += [system.submit(Philosopher.dine_in_order, seat) for seat in range(1, SEATS)]
        (fork,) = [each for each in system.synchronization() if each.name == "fork 0"]
        owner = fork.holders[0].owner
        agent = owner.rpartition(" at ")[2]
        os.kill(next(each.pid for each in system.agents() if each.agent == agent and each.pid), signal.SIGKILL)
        attempts = [future.result(timeout=60)[0] for future in dinner]
        sys.stdout.write(f"one was killed with forks in hand, and all {len(attempts)} ate; attempts: {attempts}\n")


if __name__ == "__main__":
    main()
