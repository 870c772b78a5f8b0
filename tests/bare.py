"""Environments that hold what a package declares that it needs, and nothing else."""

from __future__ import annotations

import os
import re
import shutil
import sysconfig
import venv
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement


def plain(name: str) -> str:
    """A distribution's name as all spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(requirements: Iterable[Requirement]) -> dict[str, metadata.Distribution]:
    """What these requirements bring along, of what is installed here: by name."""
    found: dict[str, metadata.Distribution] = {}
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        if plain(requirement.name) in found:
            continue
        distribution = metadata.distribution(requirement.name)
        found[plain(requirement.name)] = distribution
        for further in map(Requirement, distribution.requires or ()):
            extras = requirement.extras or {""}
            if further.marker is None or any(further.marker.evaluate({"extra": e}) for e in extras):
                waiting.append(further)
    return found


def bare_environment(folder: Path, requirements: Iterable[Requirement]) -> Path:
    """Make a virtual environment of these requirements and what they bring along; no more.

    Everything in it is a link to what is installed here: to install torch anew takes minutes.

    Returns
    -------
    Its interpreter.
    """
    venv.create(folder, symlinks=os.name != "nt")
    paths = sysconfig.get_paths("venv", vars={"base": str(folder), "platbase": str(folder)})
    for distribution in needed(requirements).values():
        for name in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            source = Path(str(distribution.locate_file(name)))
            target = Path(paths["purelib"]) / name
            if target.exists() or not source.exists():
                continue
            try:
                target.symlink_to(source)
            except OSError:  # not everybody may make links on Windows
                copy = shutil.copytree if source.is_dir() else shutil.copy2
                copy(source, target)
    return Path(paths["scripts"]) / ("python.exe" if os.name == "nt" else "python")
