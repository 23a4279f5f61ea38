"""Programs that do what programs should not: each ends by itself within a bound, and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.testing import leaks

ROOT = Path(__file__).parents[2]
LIMIT = 40.0
HEAD = """
import os, sys, signal, threading, time, warnings
# From 3.12 on Python warns of each fork of a program with threads; forking anyway is what some of these programs are for.
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
from actors import ActorSystem, AgentConfig, SystemClosed, SystemConfig, Worker, task
CONFIG = SystemConfig(agent=AgentConfig(grace=1.0))

class W(Worker):
    @task
    def double(self, number):
        return 2 * number
    @task
    def sleep(self, seconds):
        time.sleep(seconds)
        return seconds
    @task
    def pid(self):
        return os.getpid()
"""


class Program:
    """A script in a file of its own, run by an interpreter of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(textwrap.dedent(text))
        return path

    def start(self, text: str, head: str = HEAD) -> subprocess.Popen[str]:
        path = self.file("program.py", head + textwrap.dedent(text))
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{self.folder}", "PYTHONUNBUFFERED": "1"}
        return subprocess.Popen(
            [sys.executable, str(path)],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, text: str, head: str = HEAD, code: int = 0) -> tuple[str, str]:
        """Run to its end: standard output and standard error."""
        with self.start(text, head) as process:
            try:
                out, err = process.communicate(timeout=LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
                pytest.fail(f"it did not end by itself:\n{out}\n{err}")
        assert process.returncode == code, f"{process.returncode}\n{out}\n{err}"
        assert self.left() == [], f"{self.left()}\n{out}\n{err}"
        return out, err

    def left(self) -> list[leaks.Leak]:
        """The processes of the program that are there two seconds after its end."""
        deadline = time.monotonic() + 2.0
        while (found := leaks.processes_naming(str(self.folder))) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    made = Program(tmp_path)
    yield made
    for leak in leaks.processes_naming(str(tmp_path)):
        os.kill(leak.key, signal.SIGKILL)


# --- the end -------------------------------------------------------------------------------------------------------


def test_a_program_that_forgets_shutdown_ends_by_itself(program: Program) -> None:
    """System: with exit code 0, and nothing left."""
    out, err = program.run("""
        system = ActorSystem({W: 2}, config=CONFIG)
        print(system.submit(W.double, 21).result(20))
    """)
    assert out == "42\n" and err == ""


def test_a_program_that_forgets_a_running_task_ends_by_itself(program: Program) -> None:
    """System: the task is nobody's any more."""
    began = time.monotonic()
    out, _ = program.run("""
        system = ActorSystem({W: 1}, config=CONFIG)
        future = system.submit(W.sleep, 300)
        print(system.submit(W.double, 1).done())
    """)
    assert out == "False\n"
    assert time.monotonic() - began < 25


def test_a_program_that_ends_by_an_exception_ends_with_its_traceback(program: Program) -> None:
    """System: inside `with` the tasks are cancelled, outside the system is ended at exit."""
    _, err = program.run(
        """
        with ActorSystem({W: 1}, config=CONFIG) as system:
            system.submit(W.sleep, 300)
            raise LookupError("the program's own")
        """,
        code=1,
    )
    assert err.rstrip().endswith("LookupError: the program's own")
    _, err = program.run(
        """
        system = ActorSystem({W: 1}, config=CONFIG)
        system.submit(W.sleep, 300)
        raise LookupError("the program's own")
        """,
        code=1,
    )
    assert "LookupError: the program's own" in err


def test_a_program_that_exits_hard_leaves_nothing(program: Program) -> None:
    """A6: os._exit runs no handler; the agents are gone within 2 s."""
    program.run(
        """
        system = ActorSystem({W: 2}, config=CONFIG)
        print(system.submit(W.double, 1).result(20))
        system.submit(W.sleep, 300)
        os._exit(7)
        """,
        code=7,
    )


def test_ctrl_c_while_a_program_waits_ends_it_in_order(program: Program) -> None:
    """System: KeyboardInterrupt in the program, the tasks cancelled, nothing left."""
    with program.start("""
        with ActorSystem({W: 2}, config=CONFIG) as system:
            future = system.submit(W.sleep, 300)
            print(system.submit(W.double, 1).result(20))
            future.result()
    """) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "2\n"
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, err = process.communicate(timeout=LIMIT)
        assert time.monotonic() - began < 15
    assert process.returncode in (1, -signal.SIGINT)
    assert "KeyboardInterrupt" in err
    assert program.left() == []


# --- how it is written ---------------------------------------------------------------------------------------------


def test_a_missing_main_guard_does_not_matter(program: Program) -> None:
    """J1: agents do not import the program again; its classes, functions and lambdas travel by value."""
    out, err = program.run("""
        print("once")
        OFFSET = 5
        def add(number):
            return number + OFFSET
        class Point:
            def __init__(self, x):
                self.x = x
            def __eq__(self, other):
                return type(other) is Point and self.x == other.x
        with ActorSystem({W: 1}, config=CONFIG) as system:
            print(system.submit(W.double, 21).result(20))
            print(system.submit(add, 1).result(20))
            print(system.submit(lambda: OFFSET).result(20))
            print(system.submit(Point, 3).result(20) == Point(3))
            print(list(system.map(add, range(3))))
    """)
    assert out == "once\n42\n6\n5\nTrue\n[5, 6, 7]\n" and err == ""


def test_a_missing_main_guard_does_not_matter_with_spawned_agents(program: Program) -> None:
    """J1: as above, where agents are fresh interpreters."""
    out, err = program.run("""
        print("once")
        config = SystemConfig(agent=AgentConfig(grace=1.0, start_method="spawn"))
        with ActorSystem({W: 1}, config=config) as system:
            print(system.submit(W.double, 21).result(30))
    """)
    assert out == "once\n42\n" and err == ""


def test_a_program_from_standard_input_and_from_a_command_line_works(program: Program) -> None:
    """J1: there is no file to import it from."""
    text = HEAD + "with ActorSystem({W: 1}) as system:\n    print(system.submit(W.double, 21).result(20))\n"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for command, given in (([sys.executable, "-"], text), ([sys.executable, "-c", text], "")):
        done = subprocess.run(
            command,
            input=given,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            env=environment,
            cwd=program.folder,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


MODULE = """
from actors import ActorSystem, Worker, task

class Inner(Worker):
    @task
    def double(self, number):
        return 2 * number

with open({log!r}, "a") as file:
    file.write("imported\\n")
system = ActorSystem({{Inner: 1}})
future = system.submit(Inner.double, 21)
"""


def test_a_system_started_by_the_import_of_its_worker_s_module_is_refused_in_agents(program: Program) -> None:
    """Bad input: one clear error instead of a process storm."""
    log = program.folder / "log"
    program.file("eager.py", MODULE.format(log=str(log)))
    out, _ = program.run(
        """
        import eager
        error = eager.future.exception(30)
        seen = []
        while error is not None:
            seen.append(f"{type(error).__name__}: {error}")
            error = error.__cause__
        print("\\n".join(seen))
        """,
        head="",
    )
    assert "starts it when it is imported" in out and "__main__" in out
    # The program's own import, and a bounded number of tries of agents.
    assert log.read_text().count("imported") < 20


def test_a_module_that_starts_a_system_when_it_is_imported_for_an_argument_does_not_storm(program: Program) -> None:
    """Bad input: as above, where the module is not the worker's but that of an argument."""
    log = program.folder / "log"
    program.file("eager.py", MODULE.format(log=str(log)) + "\nclass Point:\n    pass\n")
    program.run(
        HEAD
        + textwrap.dedent("""
        import eager
        with ActorSystem({W: 1}, config=CONFIG) as system:
            error = system.submit(W.double, eager.Point()).exception(30)
            print(type(error).__name__, error)
        eager.system.shutdown(cancel_tasks=True, timeout=2)
        """),
        head="",
    )
    assert log.read_text().count("imported") < 30


# --- forks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["os._exit(0)", "sys.exit(0)", "raise SystemExit", "return"])
def test_a_fork_of_the_program_knows_that_the_system_is_not_its_own(program: Program, end: str) -> None:
    """System: the child's copy says so and hangs nowhere; however it ends, the parent goes on."""
    text = """
        def main():
            system = ActorSystem({W: 2}, config=CONFIG)
            running = system.submit(W.sleep, 0.5)
            done = system.submit(W.double, 4)
            assert done.result(20) == 8
            options = system.options(retries=0)
            sys.stdout.flush()
            pid = os.fork()
            if pid == 0:
                for call in (lambda: system.submit(W.double, 1), lambda: running.result(5), lambda: options.submit(W.pid),
                             lambda: list(system.map(W.double, [1])), system.agents, system.start, running.info,
                             lambda: system.spawn(W)):
                    try:
                        print("no error", call())
                    except SystemClosed as error:
                        assert "belongs to process" in str(error), error
                assert done.result() == 8
                running.cancel()
                system.shutdown()
                print("child")
                sys.stdout.flush()
                END
            _, status = os.waitpid(pid, 0)
            assert os.waitstatus_to_exitcode(status) == 0, status
            assert running.result(20) == 0.5
            print(system.submit(W.double, 21).result(20))
            system.shutdown()
            print("parent")
        main()
    """
    out, err = program.run(text.replace("END", end))
    assert out == "child\n42\nparent\n", err
    assert err == ""


def test_a_fork_may_have_a_system_of_its_own(program: Program) -> None:
    """System: as its error suggests."""
    out, err = program.run("""
        system = ActorSystem({W: 1}, config=CONFIG)
        print(system.submit(W.double, 1).result(20), flush=True)
        pid = os.fork()
        if pid == 0:
            with ActorSystem({W: 1}, config=CONFIG) as own:
                print(own.submit(W.double, 2).result(20), flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
        print(system.submit(W.double, 3).result(20))
    """)
    assert out == "2\n4\n6\n" and err == ""


def test_a_program_that_dies_after_it_forked_leaves_no_agent(program: Program) -> None:
    """A6: the fork lives on, and the agents are gone within 2 s all the same."""
    with program.start("""
        system = ActorSystem({W: 2}, config=CONFIG)
        pids = {system.submit(W.pid).result(20), os.getpid()}
        system.submit(W.sleep, 300)
        if os.fork() == 0:
            os.close(1)
            os.close(2)
            time.sleep(20)
            os._exit(0)
        print(*pids, flush=True)
        time.sleep(300)
    """) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        process.kill()
        process.communicate(timeout=LIMIT)
    deadline = time.monotonic() + 2.0
    while any(os.path.exists(f"/proc/{pid}") for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.01)


# --- threads -------------------------------------------------------------------------------------------------------


def test_a_system_may_be_used_from_many_threads_and_ended_from_another(program: Program) -> None:
    """J1: also while others submit: they get their result or one clear error."""
    out, err = program.run("""
        system = ActorSystem({W: 2}, config=CONFIG).start()
        found = []
        def work():
            try:
                while True:
                    found.append(system.submit(W.double, 2).result(20))
            except SystemClosed:
                found.append("closed")
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        while len(found) < 50:
            time.sleep(0.01)
        ender = threading.Thread(target=system.shutdown)
        ender.start()
        for thread in [ender, *threads]:
            thread.join(20)
            assert not thread.is_alive()
        print(found.count("closed"), set(found) == {4, "closed"})
    """)
    assert out == "4 True\n" and err == ""


def test_a_system_that_is_dropped_without_shutdown_keeps_no_program_alive(program: Program) -> None:
    """System: nobody holds it any more, and nobody waits."""
    out, err = program.run("""
        def use():
            return ActorSystem({W: 1}, config=CONFIG).submit(W.double, 21).result(20)
        for _ in range(3):
            print(use())
    """)
    assert out == "42\n42\n42\n" and err == ""
