"""A review from its files to its page, as one task graph on typed agents."""

from __future__ import annotations

import gc
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from actors.analysis.source import MAX_BYTES
from actors.core.partplan import Part
from actors.errors import ActorsError
from actors.future import TaskFuture
from actors.review.analyses import Analyses
from actors.review.assessment import Assessment, assess
from actors.review.cache import Known, ReportCache, remember
from actors.review.changes import Changes
from actors.review.codereport import CodeReport
from actors.review.compare import Baseline
from actors.review.discover import Discovery
from actors.review.extras import Extras, Wanted
from actors.review.outcome import Outcome
from actors.review.progress import Phase, Progress
from actors.review.recorder import Recorder
from actors.review.reduce import reduce_batches
from actors.review.report import REPORT_TEMPLATE, prepare_report, render_report, report_context
from actors.review.timeline import RunTimeline
from actors.system import ActorSystem
from actors.workers.file_analyzer import PART_SECONDS, FileAnalyzer
from actors.workers.sharing import costs_one_file, options_of
from actors.workers.template_processor import TemplateProcessor

__all__ = ["Outcome", "Review", "ReviewFailed"]

_JOB = "review"
_TICK = 0.2
# A render of a very large tree takes its time; nothing else waits for it.
_PAGE_TIMEOUT = 600.0
_EVENTS_WAIT = 1.0
_END_TIMEOUT = 5.0
# An interrupted review must be over within two seconds, page and all. What is not read in this time is left out; to
# reduce and lay out what was read takes about as long once more.
_PARTIAL_READ = 0.25
_PARTIAL_AGENTS = 0.2
_PARTIAL_JOIN = 1.0
_PREPARE_AFTER = 1.0


class ReviewFailed(ActorsError):
    """The review itself failed, and not the analysis of some files. The cause is chained."""


class Review:
    """One review, run once.

    The graph: a task of type file_analysis for each part of the files, one that reduces what they bring back, one that
    lays out the pictures, and one of type template_processing that renders the page. All are submitted to one system
    and depend on each other by their futures; the files' reports go from agent to agent.

    Args:
        found: the files.
        title: what the page calls it.
        workers: how many agents analyse, 1 or more; None is one for each processor that this process may use.
        max_bytes: larger files are reported and not read; None is the analysis's own bound.
        watch: called with the progress a few times a second, in the thread that calls `run`.
        cache: where reports of earlier reviews are looked up and those of this one are kept; None is nowhere.
        changes: what the report is limited to; None for the whole tree.
        baseline: an earlier report to compare with.
        wanted: what is to be done beside the analysis; None for nothing.
    """

    def __init__(
        self,
        found: Discovery,
        *,
        title: str,
        workers: int | None = None,
        max_bytes: int | None = None,
        watch: Callable[[Progress], object] = lambda _: None,
        cache: ReportCache | None = None,
        changes: Changes | None = None,
        baseline: Baseline | None = None,
        wanted: Wanted | None = None,
    ) -> None:
        self._found = found
        self._cache = cache
        self._changes = changes
        self._baseline = baseline
        self._limit = None if changes is None else frozenset(changes.files)
        most_bytes = MAX_BYTES if max_bytes is None else max_bytes
        wanted = wanted or Wanted()
        others = found.others if wanted.checks else ()
        self._known = Known() if cache is None else cache.known(found.root, found.files, most_bytes, others)
        self._title = title
        self._max_bytes = max_bytes
        self._watch = watch
        most = _usable_cpus() if workers is None else workers
        self._analyses = Analyses(found.root, found.files, most, self._known.reports)
        self._workers = self._analyses.workers
        self._extras = Extras(
            found,
            self._covered(found.files + found.others),
            wanted,
            cache=cache,
            known=self._known,
            changes=changes,
            max_bytes=most_bytes,
        )
        self._recorder = Recorder()
        # Tasks as they end, with the part of an analysis; None wakes the one who waits for an interruption.
        self._ended: queue.SimpleQueue[tuple[Part | None, TaskFuture[Any]] | None] = queue.SimpleQueue()
        self._interrupted = False
        self._prepared = False
        self._futures: dict[TaskFuture[Any], Part] = {}
        # The parts that brought their reports, in the order in which they did.
        self._good: list[TaskFuture[Any]] = []
        self._phase: Phase = "starting"
        self._started = time.time()
        self._generated = datetime.now(UTC)
        self._began = time.monotonic()
        self._analysed: float | None = None
        self._code: CodeReport | None = None

    def run(self) -> Outcome:
        """Do it.

        Returns:
            The outcome; after a KeyboardInterrupt, within about two seconds, that of what was done until then. No
            agent is left in either case.

        Raises:
            ReviewFailed: the agents could not do their work at all; the cause is chained.
            ConfigError: a setting in the environment is not allowed.
            KeyboardInterrupt: a second one came.
        """
        # What each type may have at most: the analysts, one that reduces and lays out, one that renders.
        system = ActorSystem(
            {FileAnalyzer: self._workers, **self._extras.workers(self._workers)},
            max_agents=self._workers + 2 + self._extras.agents(self._workers),
        )
        try:
            outcome = self._whole(system)
        except KeyboardInterrupt:
            return self._partial(system)
        except ReviewFailed:
            system.shutdown(cancel_tasks=True, timeout=_END_TIMEOUT)
            raise
        except ActorsError as error:
            system.shutdown(cancel_tasks=True, timeout=_END_TIMEOUT)
            raise _failed(error) from error
        except BaseException:
            system.shutdown(cancel_tasks=True, timeout=_END_TIMEOUT)
            raise
        try:
            system.shutdown(timeout=_END_TIMEOUT)
        except KeyboardInterrupt:
            # Everything is done; only the end of the agents was cut short, which `shutdown` has seen to.
            pass
        return outcome

    def interrupt(self) -> None:
        """End it soon with what is done. May be called from a signal handler, at any moment."""
        self._interrupted = True
        self._ended.put(None)

    # The whole

    def _whole(self, system: ActorSystem) -> Outcome:
        self._tell()
        system.start()
        self._check()
        system.subscribe(self._recorder.KINDS, self._recorder.hear)
        self._began = time.monotonic()
        self._phase = "analysing"
        for future, label in self._extras.send(system, _JOB):
            self._label(future, label)
            future.add_done_callback(lambda ended: self._ended.put((None, ended)))  # type: ignore[arg-type]
        reduced = self._analyse(system)
        self._analysed = time.monotonic()
        kept = self._keep(system)
        self._phase = "reducing"
        self._code = code = self._result(reduced)
        self._phase = "checking"
        while not self._extras.done():
            self._next()
        self._phase = "rendering"
        kept += self._extras.keep(system, _JOB, kept[0] if kept else None)
        quality, past = self._extras.results(code)
        assessment = assess(code, quality, past, baseline=self._baseline, changes=self._changes)
        self._recorder.wait_for(
            [reduced.task_id, *(future.task_id for future in (*self._futures, *self._extras.futures))], _EVENTS_WAIT
        )
        run = self._recorder.timeline(self._started)
        notes = self._notes(code.totals.files)
        layout = system.options(job=_JOB, type="review.layout").submit(
            report_context,
            code,
            run,
            title=self._title,
            root=self._found.root,
            notes=notes,
            generated=self._generated,
            assessment=assessment,
        )
        # Untyped: a future stands for the value that the parameter wants.
        render: Any = TemplateProcessor.render
        page = system.options(job=_JOB, timeout=_PAGE_TIMEOUT).submit(render, context=layout, **REPORT_TEMPLATE)
        self._label(layout, "the pictures")
        self._label(page, "the page")
        text = self._result(page)
        ends = [layout.task_id, page.task_id]
        for one in kept:
            self._label(one, "the cache")
            notes += tuple(filter(None, [self._note_of(one)]))
            ends.append(one.task_id)
        self._recorder.wait_for(ends, _EVENTS_WAIT)
        return self._outcome(code, self._recorder.timeline(self._started), run, text, notes, assessment)

    def _analyse(self, system: ActorSystem) -> TaskFuture[CodeReport]:
        """See all analyses to their end; gives the future of the task that reduces them."""
        analyses = self._analyses
        while True:
            while (part := analyses.next()) is not None:
                self._send(system, part)
            if analyses.finished:
                return self._reduce(system, self._good)
            ended, future = self._next()
            if ended is None:
                continue
            error, seconds = _end_of(future)
            if error is None:
                self._good.append(future)
                analyses.done(ended, seconds)
            elif costs_one_file(error):
                analyses.failed(ended, error)
            else:
                raise _failed(error) from error

    def _send(self, system: ActorSystem, part: Part) -> None:
        self._check()
        options = system.options(job=_JOB, type="file_analysis", **options_of(part, PART_SECONDS))
        future = options.submit(FileAnalyzer.files, list(part.keys), self._found.root, self._max_bytes)
        self._futures[future] = part
        more = len(part.items) - 1
        self._label(future, part.keys[0] + (f" and {more} more" if more else ""))
        future.add_done_callback(lambda ended: self._ended.put((part, ended)))  # type: ignore[arg-type]

    def _reduce(self, system: ActorSystem, futures: list[TaskFuture[Any]]) -> TaskFuture[CodeReport]:
        # Untyped: futures stand for the values that the parameter wants.
        reduce: Any = reduce_batches
        options = system.options(job=_JOB, type="review.reduce")
        reduced: TaskFuture[CodeReport] = options.submit(
            reduce, futures, self._analyses.others, self._limit, self._found.package
        )
        self._label(reduced, "the totals")
        return reduced

    def _keep(self, system: ActorSystem) -> list[TaskFuture[str]]:
        """Have the reports put into the cache, beside the rest of the work."""
        if self._cache is None or not self._good:
            return []
        keep: Any = remember
        options = system.options(job=_JOB, type="review.remember")
        return [options.submit(keep, self._cache.folder, self._found.root, self._good, dict(self._known.stamps))]

    def _label(self, future: TaskFuture[Any], label: str) -> None:
        self._recorder.labels[future.task_id] = label

    # Waiting

    def _next(self) -> tuple[Part | None, TaskFuture[Any]]:
        """The next task that has ended; meanwhile whoever watches is told."""
        while True:
            ended = None
            try:
                ended = self._ended.get(timeout=_TICK)
            except queue.Empty:
                self._prepare()
            self._check()
            self._tell()
            if ended is not None:
                return ended

    def _prepare(self) -> None:
        """Get ready for an interruption while there is nothing to do; a short review is over before."""
        if not self._prepared and time.monotonic() - self._began > _PREPARE_AFTER:
            self._prepared = True
            prepare_report()

    def _check(self) -> None:
        if self._interrupted:
            raise KeyboardInterrupt

    def _result(self, future: TaskFuture[Any]) -> Any:
        """The value of one of the tasks without which there is no report."""
        future.add_done_callback(lambda ended: self._ended.put((None, ended)))  # type: ignore[arg-type]
        while not future.done():
            self._next()
        try:
            return future.result()
        except Exception as error:
            raise _failed(error) from error

    def _note_of(self, kept: TaskFuture[str]) -> str:
        """What the cache has to say. Whatever is wrong with it, the review is done."""
        try:
            return str(self._result(kept))
        except ReviewFailed as error:
            return f"The cache was not written: {str(error).partition(chr(10))[0]}"

    def _tell(self) -> None:
        analyses, agents = self._analyses, self._recorder.agents()
        running = sum(view.fraction for view in agents if view.state == "working")
        self._watch(
            Progress(
                phase=self._phase,
                files=analyses.files,
                done=analyses.done_files,
                cost=float(analyses.cost),
                done_cost=analyses.done_cost + running * analyses.under_way_cost,
                written_off=len(analyses.written_off),
                seconds=(self._analysed or time.monotonic()) - self._began,
                agents=agents,
            )
        )

    # The end

    def _partial(self, system: ActorSystem) -> Outcome:
        """The outcome of what is done. The agents are ended meanwhile."""
        # The collector would take a third of the time that is left.
        collecting = gc.isenabled()
        gc.disable()
        good = [future for future in self._futures if future.done() and not future.cancelled()]
        run = self._recorder.timeline(self._started)
        ending = threading.Thread(
            target=system.shutdown, kwargs={"wait": False, "cancel_tasks": True, "timeout": _PARTIAL_AGENTS}
        )
        ending.start()
        try:
            code = self._code
            if code is None:
                values = _read(good, _PARTIAL_READ)
                code = reduce_batches(values, self._analyses.others, self._limit, self._found.package)
            notes = self._notes(code.totals.files, interrupted=True)
            # Without the earlier report: what was not read yet is not gone.
            assessment = assess(code, changes=self._changes)
            page = render_report(
                code,
                run,
                title=self._title,
                root=self._found.root,
                notes=notes,
                generated=self._generated,
                assessment=assessment,
            )
            return self._outcome(code, run, run, page, notes, assessment, interrupted=True)
        finally:
            ending.join(_PARTIAL_JOIN)
            if collecting:
                gc.enable()

    def _notes(self, covered: int, *, interrupted: bool = False) -> tuple[str, ...]:
        notes = [*self._found.notes, *self._known.notes, *self._extras.notes]
        if self._analyses.known:
            files = "1 file" if self._analyses.files == 1 else f"{self._analyses.files:,} files"
            notes.append(f"Of {files}, {self._analyses.known:,} had not changed since an earlier review.")
        if self._changes is not None:
            gone = len(self._changes.deleted)
            notes.insert(
                0,
                f"Limited to what was changed since {self._changes.base} (commit {self._changes.commit[:12]}): "
                f"{len(self._covered(self._found.files)):,} of {self._analyses.files:,} source files; {gone:,} deleted.",
            )
        if interrupted:
            of_all = len(self._covered(self._found.files))
            notes.insert(0, f"The review was interrupted: {covered:,} of {of_all:,} files are in here.")
        lost = len(self._analyses.written_off)
        if lost:
            what = "1 file has" if lost == 1 else f"{lost:,} files have"
            notes.insert(0, f"The analysis of {what} failed: see the problems.")
        return tuple(notes)

    def _covered(self, paths: Sequence[str]) -> list[str]:
        """Those of some files that the report is about."""
        return [path for path in paths if self._limit is None or path in self._limit]

    def _outcome(
        self,
        code: CodeReport,
        run: RunTimeline,
        page_run: RunTimeline,
        page: str,
        notes: tuple[str, ...],
        assessment: Assessment,
        *,
        interrupted: bool = False,
    ) -> Outcome:
        return Outcome(
            code=code,
            run=run,
            page=page,
            page_run=page_run,
            generated=self._generated,
            notes=notes,
            assessment=assessment,
            found=len(self._covered(self._found.files)),
            known=self._analyses.known,
            covered=code.totals.files,
            written_off=len(self._analyses.written_off),
            interrupted=interrupted,
        )


def _usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _failed(error: BaseException) -> ReviewFailed:
    return ReviewFailed(f"the review failed: {type(error).__name__}: {error}")


def _end_of(future: TaskFuture[Any]) -> tuple[BaseException | None, float | None]:
    """The error of a task that has ended, and what it took. A value is not looked at: it is for the agent that reduces."""
    if future.cancelled():
        return ReviewFailed("a task was cancelled by somebody else than the review"), None
    info = future.info()
    if info is None or info.status != "completed":
        return future.exception(), None
    return None, info.ended - info.started if info.started and info.ended else None


def _read(futures: list[TaskFuture[Any]], seconds: float) -> list[Any]:
    """The values of tasks that have ended, as many as can be read in this time; of those that failed, none."""
    values: list[Any] = []
    deadline = time.monotonic() + seconds
    for future in futures:
        if time.monotonic() > deadline:
            break
        with suppress(Exception):
            values.append(future.result(timeout=0))
    return values
