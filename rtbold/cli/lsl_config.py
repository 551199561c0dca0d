"""Keep liblsl's chatter off the screen, and the user's own configuration in force."""

import os
from importlib.resources import files
from pathlib import Path

VARIABLE = "LSLAPICFG"


def quieten(environment: "os._Environ[str] | dict[str, str]", folder: Path) -> None:
    """Point liblsl to a configuration that only warns, where the user has none.

    liblsl looks at LSLAPICFG, ``lsl_api.cfg`` in the working folder, in ~/lsl_api and
    in /etc/lsl_api, in this order; whichever is there stays in force.
    """
    if VARIABLE in environment:
        return
    home = Path(environment.get("HOME") or environment.get("USERPROFILE") or folder)
    places = (folder, home / "lsl_api", Path("/etc/lsl_api"))
    if any((place / "lsl_api.cfg").is_file() for place in places):
        return
    environment[VARIABLE] = str(files("rtbold") / "lsl_quiet.cfg")
