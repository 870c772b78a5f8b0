"""Notebooks as web pages whose explorers play with no kernel: ``python -m gdwidgets.export``.

``python -m gdwidgets.export notebooks --to site`` executes every notebook in a folder and writes
``site/name.html``, and beside it a folder ``name_files`` with one page for each explorer that a
cell shows. Single notebooks can be named too. The notebooks themselves stay as they are.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from gdwidgets.ui.pictures.cell_output import PAGES

TIMEOUT = 600
"""Seconds that a cell may take: the pages of long runs are written in it."""


def export(notebook: Path, folder: Path) -> Path:
    """Execute a notebook and write it as a page, with pages in place of its explorers.

    Parameters
    ----------
    notebook
        Is executed in its own folder, by this interpreter's kernel; a cell that raises is an error.
    folder
        Where the page and the folder of its explorers go; it is made where there is none.

    Returns
    -------
    The page's path.
    """
    import nbformat  # noqa: PLC0415 - an extra
    from nbclient import NotebookClient  # noqa: PLC0415
    from nbconvert import HTMLExporter  # noqa: PLC0415

    pages = folder.resolve() / f"{notebook.stem}_files"
    shutil.rmtree(pages, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    content = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(
        content,
        timeout=TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(notebook.resolve().parent)}},
    )
    client.execute(env={**os.environ, PAGES: str(pages)})
    content.metadata.pop("widgets", None)  # the state of explorers that are not shown
    body, _ = HTMLExporter().from_notebook_node(content)  # type: ignore[no-untyped-call]
    page = folder / f"{notebook.stem}.html"
    page.write_text(body, encoding="utf-8")
    return page


def notebooks_in(paths: Iterable[Path]) -> list[Path]:
    """The notebooks among paths, and those in folders among them, in order."""
    found: list[Path] = []
    for path in paths:
        found += sorted(path.glob("*.ipynb")) if path.is_dir() else [path]
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Export what the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m gdwidgets.export",
        description="Write notebooks as web pages whose explorers play with no kernel.",
    )
    parser.add_argument("notebooks", nargs="+", type=Path, help="notebooks, or folders of them")
    parser.add_argument("--to", type=Path, default=Path("site"), help="folder (default: site)")
    given = parser.parse_args(arguments)
    for notebook in notebooks_in(given.notebooks):
        print(export(notebook, given.to))  # noqa: T201 - a command says what it wrote


if __name__ == "__main__":
    main()
