"""The worker that reads the history of git repositories, and works with their branches."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from actors.core.partplan import Item, PartPlan
from actors.core.rates import Rate, Rates
from actors.errors import ConfigError
from actors.gitrepo.branch import Branch, BranchCleanup, Comparison, Worktree
from actors.gitrepo.history import HistoryReport
from actors.gitrepo.lineage import BlameReport
from actors.gitrepo.merge import MergeReport
from actors.gitrepo.patterns import matcher
from actors.worker import Worker, task
from actors.workers.gitparts import check_bool, is_counts, part, refuse, teller
from actors.workers.sharing import Sharing, Work, first_line, options_of

__all__ = ["GitIntegrator"]

_PART_SECONDS = 300.0
# Until something was measured: to look up the lines of a file takes many times as long as to read it.
_BYTE_SECONDS = 4e-6
_FILE_COST = 4096
_KEPT = ("main", "master", "develop", "trunk")
_OPERATIONS = (
    "history",
    "blame",
    "branches",
    "compare",
    "create_branch",
    "delete_merged",
    "worktrees",
    "switch",
    "remove_worktree",
    "merge",
    "rebase",
    "cherry_pick",
)


class GitIntegrator(Worker):
    """Reads what the commits of a git repository tell, and lists, compares, merges and puts branches in order.

    Nothing runs a hook, a filter, or a program of the user's. What would change the repository is a preview unless
    `apply` says otherwise, and a working tree changes only if `update_worktree` says so as well.

    Each task takes `repository`: the path of a working tree or of a folder in one, of a worktree, a submodule or a
    bare repository. Work described as data names its operation, and has the arguments of the task of that name:

        TaskSpec(type="git_operation", data={"operation": "merge", "repository": ".", "source": "feature"})
    """

    agent_type = "git_integrator"
    role = "integrator"
    specialization = "git repositories"
    capabilities = frozenset({"git_operations", "commit_analysis", "branch_management", "merge_operations"})
    cpu = "low"
    memory = "low"
    io = "moderate"
    timeout = 1800.0

    @cached_property
    def _sharing(self) -> Sharing[tuple[BlameReport, ...]]:
        return Sharing(self)

    @cached_property
    def _rates(self) -> Rates:
        """What this agent has learned of all blames that it divided."""
        return Rates(Rate(0.0, _BYTE_SECONDS))

    @task(type="git_operation", retries=0)
    def operate(self, /, operation: str, **data: Any) -> Any:
        """One of the other tasks, named by its data.

        Args:
            operation: the name of that task.
            **data: its arguments.

        Raises:
            ConfigError: there is no such operation, or it does not take these data. Else as the task of that name.
        """
        if operation not in _OPERATIONS:
            refuse("operation", operation, f"one of {', '.join(_OPERATIONS)}")
        method = type(self).tasks()[operation]
        fields = [name for name in inspect.signature(method.function).parameters if name != "self"]
        for name, value in data.items():
            # Before what is missing: a field that is written wrong is the reason why another one is.
            if name not in fields:
                message = f"git_operation {operation!r} has no field {name!r}; it takes {', '.join(fields)}"
                raise ConfigError(message, key=name, value=value, allowed=", ".join(fields))
        try:
            method.bind_check((), data)
        except TypeError as error:
            message = f"the data of a git_operation task do not fit its operation {operation!r}: {error}"
            raise ConfigError(message, key="operation", value=operation) from None
        return method(self, **data)

    @task(type="git_operation.history")
    def history(
        self,
        repository: str,
        revision: str = "HEAD",
        *,
        base: str | None = None,
        paths: Sequence[str] | None = None,
        since: float | str | None = None,
        until: float | str | None = None,
        renames: bool = True,
        complexity: bool | Mapping[str, int] = True,
    ) -> HistoryReport:
        """Read the commits behind a revision: people, files, hot spots, couplings, messages.

        Args:
            repository: see the class.
            revision: the newest commit.
            base: leave out this commit and all that it follows.
            paths: files, folders and patterns such as `src/**/*.py`, relative to the repository's root; count these
                files and the commits that change them. None counts all.
            since, until: count commits of this time only, as seconds since 1970 or a date by ISO 8601.
            renames: follow files to the names that they had before.
            complexity: measure it for the hot spots (see `file_analysis`); or what is known of it, by path.

        Returns:
            The report; an empty one for a repository without commits.

        Raises:
            GitFailed: there is no such repository or commit, it belongs to another user, or it is damaged.
            ConfigError: a value that is not allowed, or the extra `review` is missing.
        """
        if not isinstance(renames, bool):
            refuse("renames", renames, "True or False")
        if not isinstance(complexity, bool) and not is_counts(complexity):
            refuse("complexity", complexity, "True, False, or a mapping of paths to whole numbers")
        found = part("repository").open_repository(repository)
        report: HistoryReport = part("reading").read_history(
            found,
            revision=revision,
            base=base,
            paths=paths,
            since=since,
            until=until,
            renames=renames,
            complexity=complexity,
            tell=teller(self.progress),
        )
        return report

    @task(type="git_operation.blame")
    def blame(self, repository: str, paths: Sequence[str], revision: str = "HEAD") -> tuple[BlameReport, ...]:
        """Look up who wrote the lines of files, and when.

        More than a task's worth of files is split into sub-tasks for all agents of this type.

        Args:
            repository: see the class.
            paths: files, folders and patterns such as `src/**/*.py`, relative to the repository's root. A file that
                is written out and is not there has a report that says so.
            revision: the files as this commit has them.

        Returns:
            A report for each file, by path.

        Raises:
            GitFailed: see `history`. What a file holds makes nothing fail.
            ConfigError: see `history`.
        """
        keep = matcher(paths)
        found = part("repository").open_repository(repository)
        commit = part("repository").commit_at(found, revision)
        complexity = part("complexity")
        there = complexity.paths_of(found, commit.tree)
        chosen = [path for path in there if keep(path)]
        named = [path for path in paths if path not in there and not any(sign in path for sign in "*?[")]
        # A folder that is written out stands for its files.
        chosen += [path for path in named if not any(one.startswith(path.strip("/") + "/") for one in chosen)]
        files = sorted(dict.fromkeys(path for path in chosen if path.strip("/.")))
        sizes = [found.odb.read_header(there[path])[1] if path in there else 0 for path in files]
        items = [Item(path, size + _FILE_COST) for path, size in zip(files, sizes, strict=True)]
        plan = PartPlan(items, 1, self._rates)
        if not self.agent_id or plan.is_short():
            return tuple(self._blame(found, commit, files, self.progress))
        plan.agents = self._sharing.agents()
        reports: dict[str, BlameReport] = {}
        work = Work(
            lambda piece: self.options(**options_of(piece, _PART_SECONDS)).submit(
                type(self).blame_files, repository, list(piece.keys), str(commit.id)
            ),
            lambda piece, told: tuple(self._blame(found, commit, piece.keys, told)),
        )
        for piece, result in self._sharing.carry_out(plan, work):
            if isinstance(result, Exception):
                name = piece.keys[0]
                reports[name] = BlameReport(name, problem="failed", detail=first_line(result))
            else:
                reports.update(zip(piece.keys, result, strict=True))
        return tuple(reports[path] for path in files)

    def _blame(
        self, found: Any, commit: Any, files: Sequence[str], told: Callable[[float, str], None]
    ) -> list[BlameReport]:
        lines = part("blame")
        tell = teller(told)
        reports = []
        for index, path in enumerate(files):
            tell("files", index)
            reports.append(lines.blame(found, commit, path))
        return reports

    @task(type="git_operation.blame_files")
    def blame_files(self, repository: str, files: Sequence[str], revision: str = "HEAD") -> tuple[BlameReport, ...]:
        """Look up the lines of files one after the other, in this task: a part of `blame`.

        Args:
            repository: see the class.
            files: their paths as they are, without patterns.
            revision: see `blame`.

        Returns:
            A report for each file, in the order of the list.
        """
        if isinstance(files, str) or not all(isinstance(path, str) for path in files):
            refuse("files", files, "a list of paths")
        self._sharing.begins()
        found = part("repository").open_repository(repository)
        return tuple(self._blame(found, part("repository").commit_at(found, revision), files, self.progress))

    @task(type="git_operation.branches")
    def branches(self, repository: str, *, merged_into: str | None = None, remote: bool = True) -> tuple[Branch, ...]:
        """List the branches, those with the newest commits first.

        Args:
            repository: see the class.
            merged_into: say of each whether this commit has all of it.
            remote: also those of remotes, as they were when last fetched.

        Raises:
            GitFailed: see `history`.
        """
        found = part("repository").open_repository(repository)
        listed: tuple[Branch, ...] = part("branches").list_branches(found, merged_into=merged_into, remote=remote)
        return listed

    @task(type="git_operation.compare")
    def compare(self, repository: str, base: str, head: str = "HEAD") -> Comparison:
        """Tell what one commit has and another has not: commits, and files since both parted.

        Args:
            repository: see the class.
            base: a branch, a tag or an id.
            head: what it is compared with.

        Raises:
            GitFailed: see `history`.
        """
        found = part("repository").open_repository(repository)
        compared: Comparison = part("branches").compare(found, base, head)
        return compared

    @task(type="git_operation.create_branch", retries=0)
    def create_branch(self, repository: str, branch: str, start: str = "HEAD") -> Branch:
        """Create a branch. The working tree stays as it is, and on its own branch.

        Args:
            repository: see the class.
            branch: its name.
            start: the commit that it begins at.

        Raises:
            GitFailed: git allows no such name, or a branch has it; else see `history`.
        """
        found = part("repository").open_repository(repository)
        made: Branch = part("branches").create_branch(found, branch, start)
        return made

    @task(type="git_operation.delete_merged", retries=0)
    def delete_merged(
        self, repository: str, *, into: str | None = None, keep: Sequence[str] = _KEPT, apply: bool = False
    ) -> tuple[BranchCleanup, ...]:
        """Delete the local branches of which another has all commits. One that is checked out is kept.

        Args:
            repository: see the class.
            into: the branch or commit that has them; None is HEAD.
            keep: names and patterns of branches that are never deleted.
            apply: do it; otherwise say what would be done.

        Returns:
            What becomes of each local branch, with the commit that brings it back.

        Raises:
            GitFailed: see `history`.
        """
        check_bool("apply", apply)
        found = part("repository").open_repository(repository)
        done: tuple[BranchCleanup, ...] = part("branches").delete_merged(found, into=into, keep=keep, apply=apply)
        return done

    @task(type="git_operation.worktrees")
    def worktrees(self, repository: str) -> tuple[Worktree, ...]:
        """List the working trees, the repository's own first.

        Args:
            repository: see the class.

        Raises:
            GitFailed: see `history`.
        """
        found = part("repository").open_repository(repository)
        listed: tuple[Worktree, ...] = part("worktrees").list_worktrees(found)
        return listed

    @task(type="git_operation.switch", retries=0)
    def switch(self, repository: str, branch: str, folder: str) -> Worktree:
        """Check a branch out in a worktree of its own. The working trees that there are stay as they are.

        Args:
            repository: see the class.
            branch: a local branch that is checked out nowhere.
            folder: of the worktree; not there yet, or empty.

        Raises:
            GitFailed: the branch is checked out, or the folder in use; nothing is left then. Else see `history`.
        """
        found = part("repository").open_repository(repository)
        chosen = part("branches").local_branch(found, branch)
        made: Worktree = part("worktrees").add_worktree(found, chosen, folder)
        return made

    @task(type="git_operation.remove_worktree", retries=0)
    def remove_worktree(self, repository: str, folder: str) -> Worktree:
        """Remove a worktree that has nothing that is not committed. Its branch stays.

        Args:
            repository: see the class.
            folder: of the worktree.

        Raises:
            GitFailed: there is none, it is the repository's own, or it has changes. Else see `history`.
        """
        found = part("repository").open_repository(repository)
        removed: Worktree = part("worktrees").remove_worktree(found, folder)
        return removed

    @task(type="git_operation.merge", retries=0)
    def merge(
        self,
        repository: str,
        source: str,
        branch: str | None = None,
        *,
        fast_forward: bool = True,
        message: str | None = None,
        committer: str | None = None,
        apply: bool = False,
        update_worktree: bool = False,
    ) -> MergeReport:
        """Merge a branch or commit into a branch, or tell what would come of it.

        Args:
            repository: see the class.
            source: what to merge.
            branch: what to merge it into; None is the branch that HEAD is on.
            fast_forward: move the branch on without a commit of its own where that is all it takes.
            message: of the merge's commit; None takes the usual one.
            committer: "Name <address>"; None is whom the configuration of git names.
            apply: do it. Otherwise the repository stays as it is, and conflicts are in the report.
            update_worktree: the working tree that has the branch checked out may be changed, if it is clean.

        Raises:
            GitFailed: with `apply`: there are conflicts, the tree is not clean, a file would be overwritten, the branch
                is checked out and `update_worktree` is false; branch and tree are as they were. Else see `history`.
        """
        check_bool("fast_forward", fast_forward)
        integration = self._integration(repository, branch, committer, apply=apply, update_worktree=update_worktree)
        report: MergeReport = integration.merge(source, fast_forward=fast_forward, message=message)
        return report

    @task(type="git_operation.rebase", retries=0)
    def rebase(
        self,
        repository: str,
        onto: str,
        branch: str | None = None,
        *,
        upstream: str | None = None,
        committer: str | None = None,
        apply: bool = False,
        update_worktree: bool = False,
    ) -> MergeReport:
        """Put the commits of a branch upon another one, or tell what would come of it.

        Args:
            repository: see the class.
            onto: what to put them upon.
            branch: whose commits; None is the branch that HEAD is on.
            upstream: the commits that it has stay where they are; None is `onto`.
            committer: see `merge`, also for the next.
            apply: see there.
            update_worktree: see there.

        Raises:
            GitFailed: see `merge`.
        """
        integration = self._integration(repository, branch, committer, apply=apply, update_worktree=update_worktree)
        report: MergeReport = integration.rebase(onto, upstream=upstream)
        return report

    @task(type="git_operation.cherry_pick", retries=0)
    def cherry_pick(
        self,
        repository: str,
        commits: Sequence[str],
        branch: str | None = None,
        *,
        committer: str | None = None,
        apply: bool = False,
        update_worktree: bool = False,
    ) -> MergeReport:
        """Copy single commits to the tip of a branch, or tell what would come of it.

        Args:
            repository: see the class.
            commits: in the order in which they are copied; no merges.
            branch: where to; None is the branch that HEAD is on.
            committer: see `merge`, also for the next.
            apply: see there.
            update_worktree: see there.

        Raises:
            GitFailed: see `merge`.
        """
        integration = self._integration(repository, branch, committer, apply=apply, update_worktree=update_worktree)
        report: MergeReport = integration.cherry_pick(commits)
        return report

    def _integration(
        self, repository: str, branch: str | None, committer: str | None, *, apply: bool, update_worktree: bool
    ) -> Any:
        found = part("repository").open_repository(repository)
        # What a preview writes goes away with the agent, however that ends.
        scratch = str(self.workspace) if self.agent_id else None
        return part("merging").Integration(
            found, branch, apply=apply, update_worktree=update_worktree, committer=committer, scratch=scratch
        )
