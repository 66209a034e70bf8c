"""What could not be read: each loss counted once, the first of a file named, the rest summed up."""

from collections.abc import Callable

from configs.errors import InputError, NoTextError

NAMED_PER_FILE_MAX = 100
"""Problems of one file that are named one by one; a file of ten million bad lines must not name them all."""


class Problems:
    """Passes problems on to `on_problem`.

    A fault ends a member, then the archive around it, and is met by both: the same error is passed on once. Of a
    file's problems beyond NAMED_PER_FILE_MAX one stands for all, with the number of documents they lose.
    """

    def __init__(self, on_problem: Callable[[InputError], None]) -> None:
        self._on_problem = on_problem
        self._file = ""
        self._last: InputError | None = None
        self._named = 0
        self._more: dict[type[InputError], tuple[int, InputError]] = {}
        self._stopped: BaseException | None = None

    def begin(self, file: str) -> None:
        """A file or member begins."""
        self.sum_up()
        self._file, self._named = file, 0

    def __call__(self, problem: InputError) -> None:
        if self._stopped:  # the caller's refusal passes through handlers that report what they catch
            raise self._stopped
        if problem is self._last:
            return
        self._last = problem
        if isinstance(problem, NoTextError):  # each has an address and a cause of its own, and is only a row
            self._pass_on(problem)
            return
        self._named += 1
        if self._named > NAMED_PER_FILE_MAX:
            count, _ = self._more.get(type(problem), (0, problem))
            self._more[type(problem)] = count + problem.documents, problem
        else:
            self._pass_on(problem)

    def sum_up(self) -> None:
        """Tell of those that were not named."""
        more, self._more = self._more, {}
        for kind, (count, last) in more.items():
            if not self._stopped:
                cause = f"one of {count:,} further ones, the last: {last.cause}"
                self._pass_on(kind(self._file or last.file, cause, last.remedy, count))

    def _pass_on(self, problem: InputError) -> None:
        try:
            self._on_problem(problem)
        except BaseException as error:
            self._stopped = error
            raise
