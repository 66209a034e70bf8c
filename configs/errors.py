"""Every error a user can cause or meet, in one tree.

OpenRootsError
├── ConfigurationError     a TOML file, a key or a value is wrong; names the key and the nearest right one
├── SourceError            a source is not available: no licence, no package, no client, wrong checksum
├── InputError             a file cannot be read; names file, cause and remedy
│   ├── NoTextError        nothing is wrong, but there is no text to take: an image in a web archive, an empty page
│   │   └── OptedOutError  the page's site does not consent to its use
│   └── UnsafeArchiveError a member of an archive points outside of it, or unpacks to an absurd size
├── OutputError            the output cannot be written: full disk, read-only folder
│   └── BuildLockedError   another command is at work in the same folder
├── StorageError           a store does not answer, or refuses: network, credentials, rights, a bucket that is not there
├── WorkerDiedError        worker processes were killed or crashed, again and again
├── BalanceError           documents that entered are neither kept nor in the ledger: a bug of ours
└── ModelError             a language-ID or perplexity model cannot be loaded or made, or a checkpoint does not fit

A message says what is wrong, where, and what to do. The command line prints it without a stack trace.
"""

from configs.shown import shown


class OpenRootsError(Exception):
    """Base of all errors of OpenRoots."""


class ConfigurationError(OpenRootsError):
    """A configuration file is wrong."""


class SourceError(OpenRootsError):
    """A source cannot be fetched or may not be used."""


class InputError(OpenRootsError):
    """An input file cannot be read.

    `file` names it, `cause` says why, `remedy` what the user can do. `reason` is the ledger's word for it.
    `documents` is how many documents are lost, each of which gets a row of the ledger: as counted, never as a file
    claims; a file or member that cannot be read is one.
    """

    reason = "unreadable"

    def __init__(self, file: str, cause: str, remedy: str, documents: int = 1) -> None:
        super().__init__(f"{shown(file)}: {cause}. {remedy}")
        self.file, self.cause, self.remedy, self.documents = file, cause, remedy, documents

    def __reduce__(self) -> tuple[type, tuple[str, str, str, int]]:
        # Exceptions cross process borders; the default would call the class with one argument.
        return type(self), (self.file, self.cause, self.remedy, self.documents)


class NoTextError(InputError):
    """A record, page or file that is whole but holds no text. It has its row in the ledger, and is no problem."""

    reason = "empty"


class OptedOutError(NoTextError):
    """A page whose site does not consent to its use. It has its row in the ledger, and is no problem."""

    reason = "opted_out"


class UnsafeArchiveError(InputError):
    """An archive tries to write outside of itself or to exhaust the machine."""


class OutputError(OpenRootsError):
    """The output cannot be written."""


class BuildLockedError(OutputError):
    """Another command holds the output folder."""


class StorageError(OpenRootsError):
    """A store does not answer, or refuses, or a file that was listed is gone. Never a fault of what is read: what it
    meets fails, and is done again by the next run.
    """


class WorkerDiedError(OpenRootsError):
    """A worker process was killed or crashed."""


class BalanceError(OpenRootsError):
    """The ledger does not account for every document."""


class ModelError(OpenRootsError):
    """A model file cannot be loaded or used."""
