"""What is built and handed out: the wheel, the source archive, and the version they carry."""

from __future__ import annotations

import ast
import email
import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import gdwidgets
from bare import bare_environment, needed, plain

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
    assert {
        "gdwidgets/py.typed",
        "gdwidgets/ui/page/page.js",
        "gdwidgets/ui/pictures/exported.js",
    } <= package
    assert {name for name in names[archive] if name.startswith("gdwidgets/")} == package
    others = {name.split("/")[0] for name in names[archive]} - {"gdwidgets"}
    about = {"LICENSE", "README.md", "pyproject.toml", "PKG-INFO", ".gitignore"}
    info = {f"gdwidgets-{gdwidgets.__version__}.dist-info"}
    assert others <= (info if archive == "wheel" else about)


@pytest.fixture(scope="module")
def requirements(wheel):
    """What the wheel's own metadata declare."""
    with zipfile.ZipFile(wheel) as packed:
        (name,) = (name for name in packed.namelist() if name.endswith(".dist-info/METADATA"))
        told = email.message_from_bytes(packed.read(name))
    assert told["Version"] == gdwidgets.__version__
    return [Requirement(text) for text in told.get_all("Requires-Dist")]


@pytest.fixture(scope="module")
def always(requirements):
    """Those without an extra: what ``pip install gdwidgets`` brings along."""
    return [one for one in requirements if one.marker is None]


USE = """
import json
import gdwidgets, gdwidgets.pcpt
from ipywidgets.widgets import widget

shown = []
for name in gdwidgets.__all__:
    if name.endswith(("Explorer", "Comparer")):
        explorer = getattr(gdwidgets, name)()
        explorer.step_forward()
        explorer.to_dataframe()
        shown.append(type(explorer)._repr_mimebundle_(explorer)[0]["image/png"])
explorer.save("picture.svg")
modules = {one._view_module or one._model_module for one in widget._instances.values()}
print(json.dumps([gdwidgets.__file__, gdwidgets.__version__, len(shown), sorted(modules)]))
"""


def _install(archive: Path, python: Path) -> None:
    """Install an archive as a user does; with no index, all that it asks for must be there."""
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index"]
    done = subprocess.run(
        [*pip, "--no-build-isolation", "--no-compile", str(archive)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_alone_is_enough_for_the_explorers(wheel, always, tmp_path):
    python = bare_environment(tmp_path / "bare", always)
    _install(wheel, python)
    done = subprocess.run(
        [str(python), "-I", "-c", USE], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    where, version, explorers, modules = json.loads(done.stdout)
    assert Path(where).is_relative_to(tmp_path / "bare")
    assert version == gdwidgets.__version__
    assert explorers == 6
    # An existing JupyterLab finds the widgets' scripts in what came along.
    scripts = {
        folder[1]
        for one in needed(always).values()
        for file in one.files or ()
        if (folder := re.search(r"share/jupyter/labextensions/(.+)/package\.json$", str(file)))
    }
    if "@jupyter-widgets/jupyterlab-manager" in scripts:
        scripts |= {"@jupyter-widgets/base", "@jupyter-widgets/controls"}
    assert {"bqplot", "anywidget", "@jupyter-widgets/controls"} <= set(modules) <= scripts


def test_the_source_archive_installs_what_the_wheel_holds(built, wheel, always, tmp_path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    builder = map(Requirement, project["build-system"]["requires"])
    (source,) = built.glob("*.tar.gz")
    _install(source, bare_environment(tmp_path / "bare", [*always, *builder]))
    (installed,) = (tmp_path / "bare").rglob("gdwidgets/__init__.py")
    site = installed.parent.parent
    with zipfile.ZipFile(wheel) as packed:
        for name in packed.namelist():
            if not name.endswith("/RECORD"):  # lists what an installer adds, too
                assert (site / name).read_bytes() == packed.read(name), name


def test_every_import_is_declared(requirements, always, names, wheel):
    """At a module's top only what is always installed; in a function also what an extra brings."""
    homes = metadata.packages_distributions()
    allowed = {
        "top": {plain(one.name) for one in always},
        "inside": {plain(one.name) for one in requirements},
    }
    undeclared = []
    with zipfile.ZipFile(wheel) as packed:
        for name in sorted(names["wheel"]):
            if not name.endswith(".py"):
                continue
            tree = ast.parse(packed.read(name))
            inside = {
                id(part)
                for function in ast.walk(tree)
                if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
                for part in ast.walk(function)
            }
            for part in ast.walk(tree):
                if isinstance(part, ast.Import):
                    modules = [one.name for one in part.names]
                elif isinstance(part, ast.ImportFrom) and part.module and not part.level:
                    modules = [part.module]
                else:
                    continue
                for module in {one.partition(".")[0] for one in modules}:
                    if module in sys.stdlib_module_names or module == "gdwidgets":
                        continue
                    where = "inside" if id(part) in inside else "top"
                    if not {plain(home) for home in homes[module]} & allowed[where]:
                        undeclared.append(f"{name}: {module}")
    assert undeclared == []


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
