"""What the sites of a web archive say of the use of their pages, found in a pass of its own before the pages.

A crawl holds `robots.txt` anywhere, also behind the pages of its site; so an archive is read twice.
"""

import functools

from configs.errors import InputError
from configs.models import ConsentPolicy, Source
from governance.consent import Consent, read_block_lists
from pipeline.readers.containers import members
from pipeline.readers.streams import open_file
from pipeline.readers.units import Unit, UnitFile, files_of
from pipeline.readers.web import read_rules


def consent_of(unit: Unit, source: Source, policy: ConsentPolicy) -> Consent | None:
    """What sites say, of the pages of a unit; None where its reader is none of web archives.

    Parts of one file share it. Raises ConfigurationError where a block list cannot be read.
    """
    if source.reader not in ("warc", "wet"):
        return None
    files = () if unit.lost or source.reader == "wet" else tuple(files_of(unit, source))  # text holds no rules
    return _consent(files, unit.state, policy)


@functools.lru_cache(maxsize=4)
def _consent(files: tuple[UnitFile, ...], state: str, policy: ConsentPolicy) -> Consent:  # `state` keys the cache
    consent = Consent(policy, read_block_lists(policy.block_lists))
    if not (policy.robots or policy.ai_txt or policy.tdm):
        return consent
    for file in files:
        try:
            with open_file(file.uri, file.name) as stream:
                for member in members(stream, file.name, file.path, lambda _: True, lambda _: None):
                    read_rules(member, consent)
        except InputError:
            continue  # the pass that reads pages meets it again, and tells
    return consent
