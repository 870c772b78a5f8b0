"""What is built and handed out: the wheel, the source archive, and the version they carry."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import gdwidgets

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with the wheel and the source archive, built as an installer would."""
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(folder)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def names(built, wheel):
    """The files of both archives, without the folder that the source archive wraps them in."""
    (path,) = built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as packed:
        in_wheel = set(packed.namelist())
    with tarfile.open(path) as packed:
        in_source = {name.split("/", 1)[1] for name in packed.getnames() if "/" in name}
    return {"wheel": in_wheel, "source": in_source}


@pytest.mark.parametrize("archive", ["wheel", "source"])
def test_an_archive_holds_the_whole_package_and_nothing_else(names, archive):
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "gdwidgets").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {"gdwidgets/py.typed", "gdwidgets/ui/page/page.js"} <= package
    assert {name for name in names[archive] if name.startswith("gdwidgets/")} == package
    others = {name.split("/")[0] for name in names[archive]} - {"gdwidgets"}
    about = {"LICENSE", "README.md", "pyproject.toml", "PKG-INFO", ".gitignore"}
    info = {f"gdwidgets-{gdwidgets.__version__}.dist-info"}
    assert others <= (info if archive == "wheel" else about)


def test_the_wheel_works_from_a_bare_folder(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path)
    script = (
        "from gdwidgets.ui.page import page; print(page.__file__); print(len(str(page.Page._esm)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    )
    file, length = done.stdout.splitlines()
    assert Path(file).is_relative_to(tmp_path)
    assert int(length) > 100


def test_there_is_one_version():
    def found(name: str, pattern: str) -> str:
        text = (ROOT / name).read_text(encoding="utf-8")
        return re.search(pattern, text, re.MULTILINE).group(1)

    assert found("CITATION.cff", r"^version: (\S+)$") == gdwidgets.__version__
    assert found("CHANGELOG.md", r"^## \[([^\]]+)\]") == gdwidgets.__version__


def test_the_tests_run_on_the_oldest_and_the_newest_python_that_is_promised():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    promised = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', project)
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    (matrix,) = re.findall(r"^ *python: (.*)$", workflow, re.MULTILINE)
    assert re.findall(r"3\.\d+", matrix) == [promised[0], promised[-1]]
    assert f'requires-python = ">={promised[0]}"' in project
