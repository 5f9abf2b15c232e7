"""`headwise serve`: artifacts over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from headwise.cli.console import tell
from headwise.cli.models import ModelChoice, load_engine_of
from headwise.cli.options import DeviceOption, DtypeOption, OtherModelOption, RevisionOption
from headwise.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from headwise.engines.base import Engine
    from headwise.engines.watched import WatchedEngine
    from headwise.server.app import Operation
    from headwise.server.shelf import ArtifactPath, Shelf

T = TypeVar("T")
_NETWORK, _LIMITS, _BATCHES = "Network", "Limits of a request", "Batches and queue"
# Two batches of the engine: full ones, and still small enough that the clients of one call send
# their next requests while another runs. Calls of many more items are no faster, and under overload
# they took 40% more memory than calls of the usual load.
_CPU_BATCH_TOKENS = 4_096
_GPU_BATCH_TOKENS = 32_768
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def serve(
    artifacts: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]DIR ...",
            help="Fitted artifacts of one model: folders (of several reward models saved together, "
            "too), or Hub ids. Requests name one by its folder's name, or by NAME.",
        ),
    ],
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen.", rich_help_panel=_NETWORK)
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, max=65_535, help="0 for any that is free.", rich_help_panel=_NETWORK
        ),
    ] = 8000,
    api_keys: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keys that clients must send, one a line; else those of $HEADWISE_API_KEYS, "
            "separated by commas.",
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    allow_image_prefix: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR|URL/",
            help="Let requests name images in this folder, or under this address; may be repeated. "
            "Without it only data URLs are taken.",
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    max_body: Annotated[
        float, typer.Option(metavar="MIB", min=0.001, rich_help_panel=_LIMITS, help="Of its body.")
    ] = 32.0,
    max_items: Annotated[
        int, typer.Option(metavar="N", min=1, rich_help_panel=_LIMITS, help="Items in it.")
    ] = 1_024,
    max_text_tokens: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=8,
            rich_help_panel=_LIMITS,
            help="Refuse longer texts; the artifacts cut at the lengths they were fitted with.",
        ),
    ] = None,
    max_images: Annotated[
        int, typer.Option(metavar="N", min=1, rich_help_panel=_LIMITS, help="Images of an item.")
    ] = 16,
    max_image_pixels: Annotated[
        int, typer.Option(metavar="N", min=1, rich_help_panel=_LIMITS, help="Of one image.")
    ] = 32_000_000,
    max_new_tokens: Annotated[
        int,
        typer.Option(metavar="N", min=1, rich_help_panel=_LIMITS, help="Of a generated answer."),
    ] = 1_024,
    deadline: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0.01,
            rich_help_panel=_LIMITS,
            help="Until the answer; a request may ask for less (X-Deadline-Seconds).",
        ),
    ] = 60.0,
    batch_tokens: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            rich_help_panel=_BATCHES,
            help="Tokens of one call, roughly; 4096 on a CPU and 32768 elsewhere if left out.",
        ),
    ] = None,
    batch_wait: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0.0001,
            rich_help_panel=_BATCHES,
            help="How long to wait for more items under load.",
        ),
    ] = 0.005,
    queue_items: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            rich_help_panel=_BATCHES,
            help="Items that may wait; past it 429.",
        ),
    ] = 4_096,
    log_level: Annotated[
        Literal["info", "warning", "error"],
        typer.Option(help="Least level that is logged; a line for each request is info."),
    ] = "info",
    log_contents: Annotated[
        bool,
        typer.Option("--log-contents", help="Log the beginnings of bodies: what users send."),
    ] = False,
    model: OtherModelOption = None,
    revision: RevisionOption = None,
    dtype: DtypeOption = None,
    device: DeviceOption = None,
) -> None:
    """Serve reward models, classifiers and task vectors of one model over HTTP.

    The model is loaded once for all of them. Logs go to stderr, one JSON object a line. SIGTERM or
    Ctrl-C ends the server after it has answered what it accepted.
    """
    _require_server()
    from headwise.server.app import Operation
    from headwise.server.keys import Keys
    from headwise.server.settings import BatchSettings, RequestLimits

    if queue_items < max_items:
        raise InputError(
            f"--queue-items {queue_items} has no room for one request of --max-items {max_items}; "
            "raise the one or lower the other."
        )
    operation = Operation(
        BatchSettings(batch_tokens or _CPU_BATCH_TOKENS, batch_wait, queue_items),
        RequestLimits(
            body_bytes=int(max_body * 2**20),
            items=max_items,
            text_tokens=max_text_tokens,
            images=max_images,
            image_pixels=max_image_pixels,
            new_tokens=max_new_tokens,
            deadline=deadline,
        ),
        Keys.read(api_keys),
        tuple(allow_image_prefix or ()),
        log_contents,
    )
    choice = ModelChoice(model, revision, dtype, device)
    _run(artifacts, choice, operation, host, port, log_level, is_sized=batch_tokens is not None)


def _run(
    artifacts: list[str],
    choice: ModelChoice,
    operation: Operation,
    host: str,
    port: int,
    log_level: str,
    *,
    is_sized: bool,
) -> None:
    import warnings

    from headwise.methods.truncation import TruncationWarning
    from headwise.server.app import make_app
    from headwise.server.running import run
    from headwise.server.shelf import ArtifactPath

    paths = [ArtifactPath.read(text) for text in artifacts]
    engine, shelf = _apart(lambda: _loaded(paths, choice))
    if not is_sized and not _is_on_cpu(engine.unwatched):
        batching = replace(operation.batching, batch_tokens=_GPU_BATCH_TOKENS)
        operation = replace(operation, batching=batching)
    app = make_app(shelf, operation)
    # Said of each item instead, where the answer has a place for it.
    warnings.simplefilter("ignore", TruncationWarning)
    names = ", ".join(one.name for one in shelf.artifacts)
    tell(f"Serving {names} on {shelf.model_id} at http://{host}:{port} (documentation: /docs).")
    if host not in _LOOPBACK and not operation.keys.are_needed:
        tell("Anyone who reaches this address can use it: there are no API keys.")
    run(app, host, port, log_level=log_level)


def _loaded(paths: Sequence[ArtifactPath], choice: ModelChoice) -> tuple[WatchedEngine, Shelf]:
    from headwise.methods.load import read_saved
    from headwise.server.shelf import load_shelf

    engine = load_engine_of(read_saved(paths[0].path), choice, quiet=False)
    return engine, load_shelf(paths, engine.unwatched)


def _apart(load: Callable[[], T]) -> T:
    """Loads in a thread that then ends.

    OpenMP keeps the team of every thread that ever multiplied. With more of them than cores they
    sleep between two products instead of waiting awake: one that the main thread had left behind
    made every call of the thread that owns the model a quarter slower.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="headwise-loading") as pool:
        return pool.submit(load).result()


def _is_on_cpu(engine: Engine) -> bool:
    device = getattr(getattr(engine, "model", None), "device", None)
    return getattr(device, "type", "cpu") == "cpu"


def _require_server() -> None:
    for package in ("fastapi", "uvicorn", "prometheus_client"):
        try:
            __import__(package)
        except ImportError as error:
            name = package.replace("_", "-")
            raise MissingExtraError(name, "server", "headwise serve") from error
