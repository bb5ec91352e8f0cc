"""Commands about the machine: warmup, info."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer

from constrain.cli import options, output, sources

_PACKAGES = ("numba", "numpy", "torch", "transformers", "tokenizers")
_THREAD_SETTINGS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS")


def warmup(
    tokenizer: Annotated[
        list[str] | None,
        typer.Option("--tokenizer", "-t", metavar="PATH_OR_ID", help="Also read this tokenizer into the disk cache."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Compile all kernels now, so that later processes start fast.

    For Dockerfiles and CI, and before many processes start at once.

    constrain warmup --tokenizer path/to/model
    """
    from constrain.warmup import kernels_are_cached

    places = [sources.model_path(one, "--tokenizer") for one in tokenizer or ()]
    fields: dict[str, Any] = {"kernels_cached": kernels_are_cached(), "kernel_seconds": sources.ready_kernels(True)}
    fields["tokenizers"] = [_read_tokenizer(place) for place in places]
    if as_json:
        output.emit(fields)
    else:
        output.facts(_warmup_rows(fields))


def _read_tokenizer(place: str) -> dict[str, Any]:
    begin = time.perf_counter()
    vocabulary = sources.vocabulary(place)
    seconds = time.perf_counter() - begin
    return {"path_or_id": place, "vocabulary": output.vocabulary(vocabulary), "seconds": seconds}


def _warmup_rows(fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    how = "loaded from the cache" if fields["kernels_cached"] else "compiled"
    yield "kernels", f"{how} in {output.duration(fields['kernel_seconds'])}"
    for one in fields["tokenizers"]:
        yield "tokenizer", f"{one['vocabulary']}, read in {output.duration(one['seconds'])}"


def info(as_json: options.Json = False) -> None:
    """Show versions, threads, and the folders of the caches."""
    fields = {"versions": _versions(), "threads": _threads(), "caches": _caches()}
    if as_json:
        output.emit(fields)
    else:
        output.facts(_info_rows(fields))


def _versions() -> dict[str, str | None]:
    from constrain import __version__

    own = {"constrain": __version__, "python": platform.python_version()}
    return own | {package: _version(package) for package in _PACKAGES}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _threads() -> dict[str, int | str]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"usable_cpus": usable, **{name: os.environ[name] for name in _THREAD_SETTINGS if name in os.environ}}


def _caches() -> dict[str, dict[str, Any] | None]:
    """Where vocabularies and machine code are kept; None where a cache is off."""
    from constrain.vocab import cache
    from constrain.warmup import kernels

    vocabularies = cache.directory()
    places = {kernel.stats.cache_path for kernel in kernels()} - {None}
    code = Path(min(places)) if places else None
    return {"vocabularies": _folder(vocabularies, "**/*.npz"), "machine_code": _folder(code, "*.nb[ci]")}


def _folder(path: Path | None, pattern: str) -> dict[str, Any] | None:
    if path is None:
        return None
    files = [file.stat().st_size for file in path.glob(pattern)]
    return {"path": str(path), "files": len(files), "bytes": sum(files)}


def _info_rows(fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, number in fields["versions"].items():
        yield name, number or "not installed"
    for name, value in fields["threads"].items():
        yield name.replace("usable_cpus", "usable CPUs"), str(value)
    for name, folder in fields["caches"].items():
        yield name.replace("_", " "), _folder_line(folder)


def _folder_line(folder: dict[str, Any] | None) -> str:
    if folder is None:
        return "no cache"
    return f"{folder['path']} ({folder['files']} files, {output.size(folder['bytes'])})"
