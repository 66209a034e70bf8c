"""How a step is going: notes that it writes as it begins and ends, wherever it runs, and who reads them meanwhile."""

import threading
from collections.abc import Sequence
from typing import Any, Protocol

from configs.errors import StorageError
from pipeline.runtime import storage
from pipeline.runtime.done import Done
from pipeline.runtime.finished import Record
from pipeline.runtime.phases import Watch, records_of

POLL_SECONDS = 0.5
_STORE_SECONDS, _STORE_SECONDS_MAX = 3.0, 10.0
"""How often the notes of a running pipeline are looked for; the same in a store, where that is a request: less and less
often as long as there is no news."""

notes: dict[str, dict[str, Any]] = {}
"""The last note of each step that this process has written or read to its end, by path."""


class Told(Protocol):
    """What is shown of a step: its name, and its phases that have tasks, with their records."""

    @property
    def name(self) -> str: ...

    def records(self, done: Done) -> list[tuple[str, list[Record]]]: ...


def note_of(folder: str, step: str) -> str:
    """Where a step writes how it is going."""
    return storage.join(folder, step, "progress.json")


def seconds_of(folder: str, step: str) -> float:
    """How long a step took when it last ran; 0 where that is not known."""
    try:
        path = note_of(folder, step)
        known = None if storage.is_local(folder) else notes.get(path)
        note = known if known and "ended" in known else storage.read_json(path)
        return max(0.0, float(note["ended"]) - float(note["began"]))
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def tell_begin(watch: Watch, step: Told, done: Done, note: dict[str, Any]) -> None:
    """Tell the watch that a step has begun, by its note."""
    if note.get("damaged"):
        watch.damaged(step.name, note["damaged"])
    if "sizes" in note:
        watch.begin(step.name, note["sizes"], set(note["done"]), records_of(done.folder, step.name))


def tell_end(watch: Watch, step: Told, done: Done, note: dict[str, Any], seconds: float) -> None:
    """Tell the watch that a step has ended; its phases share its time by the work they did."""
    for place, paths in note.get("foreign", {}).items():
        watch.foreign(place, paths)
    phases = step.records(done)
    worked = [sum(record.seconds for record in records) for _, records in phases]
    for (name, records), part in zip(phases, worked, strict=True):
        watch.end(name, records, seconds * (part / sum(worked) if sum(worked) else 1.0 / len(worked)))


class Follower:
    """Tells the watch of steps as they begin and end, from the notes that they write."""

    def __init__(self, steps: Sequence[Told], folder: str, run: str, watch: Watch) -> None:
        self._steps, self._folder, self._run, self._watch = list(steps), folder, run, watch
        self._began: str | None = None
        self._pauses = (POLL_SECONDS,) * 2 if storage.is_local(folder) else (_STORE_SECONDS, _STORE_SECONDS_MAX)
        self._stopped = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._follow, daemon=True, name="follower")

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopped.set()
        self._thread.join()

    def finish(self) -> None:
        """Tell the rest: the pipeline has ended well. What the watch raised, of this thread or that, ends the run."""
        self.stop()
        if self._failed is not None:
            raise self._failed
        while self._steps and self._look():
            pass

    def _follow(self) -> None:
        try:
            pause, longest = self._pauses
            while self._steps and not self._stopped.wait(pause):
                before = len(self._steps)
                while self._steps and self._look():
                    pass
                pause = min(longest, pause * 1.3) if len(self._steps) == before else self._pauses[0]
        except BaseException as failure:
            self._failed = failure

    def _note(self, path: str) -> dict[str, Any]:
        known = notes.get(path, {})  # of a step that this very process has ended
        if known.get("run") == self._run and "ended" in known:
            return known
        return dict(storage.read_json(path))

    def _look(self) -> bool:
        """Look for news of the first step; whether it has ended."""
        step = self._steps[0]
        try:
            note = self._note(note_of(self._folder, step.name))
        except (OSError, ValueError, StorageError):  # the display waits for a store that is away; the work decides
            return False
        if note.get("run") != self._run:
            return False
        done = Done(self._folder)
        if self._began != step.name:
            self._began = step.name
            tell_begin(self._watch, step, done, note)
        if "ended" not in note:
            return False
        notes[note_of(self._folder, step.name)] = note
        tell_end(self._watch, step, done, note, note["ended"] - note["began"])
        self._steps.pop(0)
        return True
