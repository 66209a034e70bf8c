"""What rows say of their licence: told where all of it is understood, else refused."""

import pytest

from governance.licence_rows import row_licence

TOLD = {
    "https://creativecommons.org/licenses/by/4.0/": "CC-BY-4.0",
    "http://creativecommons.org/licenses/by-sa/3.0/de/": "CC-BY-SA-3.0-DE",
    "https://creativecommons.org/licenses/by-nc/4.0/legalcode": "CC-BY-NC-4.0",
    "https://creativecommons.org/publicdomain/zero/1.0/": "CC0-1.0",
    "https://www.gnu.org/licenses/old-licenses/lgpl-2.1.en.html": "LGPL-2.1-only",
    "http://www.gnu.org/licenses/gpl.txt": "GPL-1.0-or-later",
    "https://opensource.org/license/bsd-3-clause": "BSD-3-Clause",
    "http://www.opensource.org/licenses/mit-license.php": "MIT",
    "https://www.apache.org/licenses/LICENSE-2.0.txt": "Apache-2.0",
    "https://spdx.org/licenses/ISC.html": "ISC",
    "GPLv3": "GPL-3.0-only",
    "gpl3": "GPL-3.0-only",
    "LGPLv2.1": "LGPL-2.1-only",
    "apache 2": "Apache-2.0",
    "cc by sa 4.0": "CC-BY-SA-4.0",
    "CC BY-NC-SA 3.0 IGO": "CC-BY-NC-SA-3.0-IGO",
    "AGPL": "AGPL-3.0-or-later",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "License :: OSI Approved :: GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "The MIT License (MIT)": "MIT",
    'BSD 3-Clause "New" or "Revised" License': "BSD-3-Clause",
    "Mozilla Public License 2.0": "MPL-2.0",
    "Creative Commons Attribution-ShareAlike 3.0 Unported License": "CC-BY-SA-3.0",
    "Creative Commons Attribution-NonCommercial-NoDerivatives 4.0 International": "CC-BY-NC-ND-4.0",
    "MIT/Apache-2.0": "MIT AND Apache-2.0",
    "MIT or GPLv2": "MIT OR GPL-2.0-only",
    "dual MIT/GPL": "MIT OR GPL-1.0-or-later",
    "MIT and GPLv2": "MIT AND GPL-2.0-only",
    "CC BY 4.0 and CC BY-NC 4.0": "CC-BY-4.0 AND CC-BY-NC-4.0",
    '["MIT", "Apache-2.0"]': "MIT AND Apache-2.0",
    "['GPL-3.0']": "GPL-3.0-only",
    "MIT, ISC": "MIT AND ISC",
    "mit; gpl-3": "MIT AND GPL-3.0-only",
    "GPL, version 2": "GPL-2.0-only",
    "GPL (>= 2)": "GPL-2.0-or-later",
    "GPL-2 | GPL-3": "GPL-2.0-only OR GPL-3.0-only",
    "MIT + file LICENSE": "MIT",
}
REFUSED = [
    "",
    "GPLv4",
    "GPL v9",
    "LGPL 5.0",
    "AGPL-7",
    "CC BY 5.0",
    "Creative Commons Attribution 7.0 International",
    "MIT 0",
    "unknown",
    "other",
    "none",
    "BSD",
    "CC BY-NC",
    "Apache License",
    "MIT*",
    "MIT, see below",
    "non-MIT",
    "not GPL",
    "Custom: MIT",
    "MIT, but not for military use",
    "MIT with advertising clause",
    "Modified MIT License",
    "MIT (with restrictions)",
    "MIT or proprietary",
    "(MIT",
    "CC BY 4 0",
    "a/b",
    "MIT WITH foo",
    "[]",
    "[None]",
    "['unknown']",
    "['MIT', 'unknown']",
    "[" * 5000,
    "Fair use",
    "https://example.org/licenses/MIT",
    "https://creativecommons.org/licenses/",
    "https://opensource.org/licenses/",
    "https://opensource.org/licenses/mit-with-a-twist",
    "http://opensource.org/licenses/bsd-license.php",
    "Copyright 2020, all rights reserved",
    "Llama 3 Community License",
    "research only",
]


@pytest.mark.parametrize(("said", "spdx"), TOLD.items())
def test_a_licence_is_told_however_rows_write_it(said, spdx):
    assert row_licence(said) == spdx


@pytest.mark.parametrize("said", REFUSED)
def test_what_is_not_understood_to_its_end_is_refused(said):
    assert row_licence(said) is None
