"""Where compiled engines of a bundle lie: with it, or in the user's cache."""

import os
from pathlib import Path

from platformdirs import user_cache_path

from rtbold.bundle.store import Bundle
from rtbold.bundle_files import ENGINES_FOLDER

SHA_CHARS = 16


def engines_folder(bundle: Bundle) -> Path:
    """Return where engines of this bundle are written and looked for; it may not exist.

    ``engines/`` in the bundle where that can be written; else, as for a bundle in a
    system folder, one in the user's cache that is named by the bundle's hash.
    """
    beside = bundle.path / ENGINES_FOLDER
    writable = beside if beside.is_dir() else bundle.path
    if os.access(writable, os.W_OK | os.X_OK):
        return beside
    return user_cache_path("rtbold") / ENGINES_FOLDER / bundle.sha256[:SHA_CHARS]
