"""Packs in an environment that has another trainer's package, with all else from the environment that made it.

python pack_by_package.py PACKED SITE-PACKAGES ROOT FORM …
"""

import sys

packed, *places = sys.argv[1:4]
sys.path += places

from trainer.data import read_manifest  # noqa: E402
from trainer.pack_formats import convert  # noqa: E402

for form in sys.argv[4:]:
    convert(packed, read_manifest(packed), form)
