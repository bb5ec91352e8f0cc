"""What all tests share: how much they do, where data lives, and a cache that is not the user's."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Decide how much each test does: all of it where slow tests are selected. Tests side by side have a core each."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    if re.search(r"(?<!not )\bslow\b", config.getoption("markexpr")):
        os.environ["CONSTRAIN_FULL"] = "1"
    import amounts  # reads CONSTRAIN_FULL
    from hypothesis import settings

    settings.load_profile(amounts.PROFILE)


@pytest.fixture(scope="session", autouse=True)
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Point the disk cache into a folder of this session."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("CONSTRAIN_CACHE_DIR", str(folder))
        patch.delenv("CONSTRAIN_NO_CACHE", raising=False)
        yield folder


@pytest.fixture(scope="module")
def demo() -> tuple[Any, Any]:
    """The embedded model and its tokenizer."""
    from constrain.demo import load_model

    return load_model()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """PyTorch in one thread, because the models are tiny and threads would wait for each other; the same random numbers
    for each test, and no trace of them."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real tokenizers and schemas: CONSTRAIN_DATA, or `../shared` beside the repository."""
    root = Path(__file__).resolve().parent.parent
    folder = Path(os.environ.get("CONSTRAIN_DATA", root.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no data at {folder}; set CONSTRAIN_DATA to the folder that holds tokenizers/")
    return folder
