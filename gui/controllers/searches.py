"""What is there to choose from: streams, subjects, models; asked of child processes."""

from dataclasses import replace

from rtbold.gui.controllers.jobs import Job, Jobs
from rtbold.gui.state.found import Bundles, Streams, newest, read_bundles, read_streams

LISTEN_S = 1.5
STREAMS_LIMIT_S = 20.0
BUNDLES_LIMIT_S = 60.0
SEARCH_EVERY_S = 5.0
WATCHED_WITHIN_S = 1.0


class StreamSearch:
    """Lists the streams of the network, again and again while somebody looks."""

    def __init__(self, jobs: Jobs) -> None:
        self.streams = Streams()
        self._jobs = jobs
        self._job: Job | None = None
        self._watched_s = float("-inf")
        self._ended_s = float("-inf")

    def watch(self, now_s: float) -> None:
        """Say that the list is being looked at now."""
        self._watched_s = now_s

    def begin(self) -> None:
        """Search now; does nothing while a search runs."""
        if self._job is not None:
            return
        words = ("streams", "--json", "--wait", f"{LISTEN_S:g}")
        self._job = self._jobs.start(
            "Looking for streams", words, limit_s=STREAMS_LIMIT_S
        )
        self.streams = replace(self.streams, searching=True)

    def tick(self, now_s: float) -> None:
        """Take what was found; search again when it is time."""
        if self._job is not None:
            if self._job.poll() is not None:
                self._take(self._job, now_s)
                self._job, self._ended_s = None, now_s
            return
        watched = now_s - self._watched_s <= WATCHED_WITHIN_S
        if watched and now_s - self._ended_s >= SEARCH_EVERY_S:
            self.begin()

    def _take(self, job: Job, now_s: float) -> None:
        found = read_streams("\n".join(job.lines))
        if found is None:
            problem = job.problem or "The list of streams could not be read."
            self.streams = replace(self.streams, searching=False, problem=problem)
            return
        self.streams = Streams(found, searched_s=now_s)


class BundleSearch:
    """Lists subjects and models, when asked to."""

    def __init__(self, jobs: Jobs) -> None:
        self.bundles = Bundles()
        self._jobs = jobs
        self._running: dict[str, Job] = {}

    def begin(self, root: str = "") -> None:
        """List again; does nothing while that goes on.

        Parameters
        ----------
        root : folder of all subjects; empty: the user's own.
        """
        if self._running:
            return
        where = ("--root", root) if root else ()
        asked = {
            "subjects": ("subjects", "list", "--json", *where),
            "models": ("models", "list", "--json"),
        }
        self._running = {
            kind: self._jobs.start(f"Listing {kind}", words, limit_s=BUNDLES_LIMIT_S)
            for kind, words in asked.items()
        }
        self.bundles = replace(self.bundles, searching=True, problem="")

    def tick(self) -> None:
        """Take what was found."""
        for kind, job in list(self._running.items()):
            if job.poll() is not None:
                del self._running[kind]
                self._take(kind, job)
        if self.bundles.searching and not self._running:
            self.bundles = replace(self.bundles, searching=False, searched=True)

    def _take(self, kind: str, job: Job) -> None:
        rows = read_bundles("\n".join(job.lines))
        if rows is None:
            problem = job.problem or f"The list of {kind} could not be read."
            said = " ".join(part for part in (self.bundles.problem, problem) if part)
            self.bundles = replace(self.bundles, problem=said)
        elif kind == "subjects":
            self.bundles = replace(self.bundles, subjects=newest(rows))
        else:
            self.bundles = replace(self.bundles, models=rows)
