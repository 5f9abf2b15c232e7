"""`headwise ccot`: questions about images, answered by way of a scene graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import ascii_uppercase
from typing import Annotated, Literal

import typer

from headwise.cli.ccot_method import Ablation, MethodChoice
from headwise.cli.console import show, tell, warn, write_json
from headwise.cli.engine_choice import EngineLater
from headwise.cli.models import ModelChoice
from headwise.cli.options import (
    BaseUrlOption,
    ConcurrencyOption,
    DeviceOption,
    DtypeOption,
    EngineOption,
    ImageOption,
    JsonOption,
    LabelOption,
    ModelOption,
    OverwriteOption,
    QuietOption,
    RevisionOption,
    RowsOption,
    SkipBadOption,
    TextOption,
    image_column,
)
from headwise.cli.rows import Target, require_all
from headwise.errors import InputError

_GRAPH, _MODEL = "Scene graph", "Model"


def ccot(
    source: Annotated[
        str,
        typer.Argument(
            metavar="IMAGE|FILE",
            help="An image, with a QUESTION; or rows of images and questions: JSONL, JSON, CSV, "
            "TSV, Parquet, a Hub dataset, or - for stdin.",
        ),
    ],
    question: Annotated[
        str | None,
        typer.Argument(
            metavar="QUESTION",
            help='The question about the image, or "" for a caption; none for the rows of a file.',
        ),
    ] = None,
    form: Annotated[
        Literal["free", "word", "yes-no", "options", "caption"],
        typer.Option(
            "--format",
            help="What answers are: any text, a word or phrase, yes or no, the letter of an "
            "option (--option, or the columns A, B, ... of a file), or a caption.",
        ),
    ] = "word",
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="An option of the question; give each. With IMAGE."),
    ] = None,
    out: RowsOption = None,
    overwrite: OverwriteOption = False,
    show_graph: Annotated[
        bool,
        typer.Option("--show-graph", help="Print the graph too.", rich_help_panel=_GRAPH),
    ] = False,
    save_graph: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Draw the graph into a .png or .svg file, over the image where it has boxes.",
            rich_help_panel=_GRAPH,
        ),
    ] = None,
    show_form: Annotated[
        bool,
        typer.Option(
            "--show-form",
            help="Show the model the JSON form wanted, for models that write others at length.",
            rich_help_panel=_GRAPH,
        ),
    ] = False,
    max_graph_tokens: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Cap on the graph.", rich_help_panel=_GRAPH),
    ] = 256,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keep graphs in a folder, and take them from there in later runs.",
            rich_help_panel=_GRAPH,
        ),
    ] = None,
    ablation: Annotated[
        list[Ablation] | None,
        typer.Option(
            help="Leave a part out, to see what it brings; may be given again. Before the answer "
            "comes a caption, plain words or thoughts instead of the graph, or nothing (direct); "
            "the graph is written without the question; or is passed on just as written.",
            rich_help_panel=_GRAPH,
        ),
    ] = None,
    max_new_tokens: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Cap on the answer; by its format if left out."),
    ] = None,
    logprobs: Annotated[
        bool,
        typer.Option(
            "--logprobs",
            help="Take the likeliest of all answers instead of reading text; yes-no and options.",
        ),
    ] = False,
    text: TextOption = None,
    label: LabelOption = None,
    image: ImageOption = None,
    skip_bad: SkipBadOption = False,
    engine: EngineOption = "transformers",
    base_url: BaseUrlOption = None,
    concurrency: ConcurrencyOption = None,
    model: ModelOption = None,
    revision: RevisionOption = None,
    dtype: DtypeOption = None,
    device: DeviceOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Answer questions about images in two calls: write a scene graph, then answer with it.

    With an IMAGE and a QUESTION the answer is printed. With a FILE every row comes out as it went
    in, with more columns: `prediction`, the answer; `generated`, the text it was read from;
    `written`, what the first call wrote; `graph`, that as JSON; and `graph_status`: parsed,
    repaired, or text where it was no graph and was used as it is. Where rows have labels, the
    accuracy is counted. An interrupted run is gone on with.
    """
    method = MethodChoice(
        *(form, tuple(ablation or ()), show_form, max_graph_tokens, max_new_tokens),
        *(logprobs, cache),
    )
    later = EngineLater(
        engine, ModelChoice(model, revision, dtype, device), base_url, concurrency, quiet
    )
    if question is not None:
        of_rows = {"--out": out, "--text": text, "--label": label, "--image": image}
        _refuse(of_rows, "the rows of a FILE; leave out the QUESTION")
        _one(source, question, option or [], method, later, show_graph, save_graph, json=json)
        return
    single = {"--show-graph": show_graph or None, "--save-graph": save_graph, "--option": option}
    _refuse(single, 'one image with its question: headwise ccot IMAGE "QUESTION"')
    target = Target.checked(out, source, overwrite=overwrite, json=json)
    columns = {"text": text, "label": label, "image": image}
    _rows(source, target, columns, method, later, skip_bad=skip_bad, json=json)


def _one(
    path: str,
    text: str,
    options: list[str],
    method: MethodChoice,
    later: EngineLater,
    show_graph: bool,
    save_graph: Path | None,
    *,
    json: bool,
) -> None:
    from headwise.cli.ccot_job import gained_by
    from headwise.content import as_image
    from headwise.examples import Example
    from headwise.graphs import check_drawing_name, draw_scene_graph
    from headwise.prompts.answer_format import Question

    if options and method.form != "options":
        raise InputError("--option is for --format options; give that too.")
    if save_graph is not None:
        check_drawing_name(save_graph)
    method.check()
    fields = dict(zip(ascii_uppercase, options, strict=False))
    picture = as_image(path)
    example = Example(text, fields=fields, images=(picture,))
    # What is wrong with either is told before a model is loaded.
    Question.of(example, method.form)
    picture.load()
    [answered] = method.on(later.engine).answer([example])
    reading = answered.graph
    graph = None if reading is None else reading.graph
    if save_graph is not None and graph is not None:
        draw_scene_graph(graph, save_graph, picture)
    elif save_graph is not None:
        warn(f"No scene graph was written, so {save_graph} was not drawn.")
    if json:
        write_json({"image": path, "question": text, **gained_by(answered)})
        return
    if show_graph and answered.written is not None:
        status = "" if reading is None else f" ({reading.status.value})"
        show(answered.written if graph is None else graph.described(), "")
        if not later.quiet and status:
            tell(f"Scene graph{status}")
    if answered.answer is None:
        warn("The text holds no answer of this format; it is printed as it is.")
    show(answered.text if answered.answer is None else answered.answer)


def _rows(
    file: str,
    target: Target,
    columns: dict[str, str | None],
    method: MethodChoice,
    later: EngineLater,
    *,
    skip_bad: bool,
    json: bool,
) -> None:
    from headwise.cli.ccot_job import CcotJob, as_json, checked_lines, told
    from headwise.readers import open_source, read_examples

    method.check()
    source = open_source(file)
    result = read_examples(
        source,
        text=columns["text"],
        label=columns["label"],
        image=image_column(columns["image"]),
        require_label=False,
        skip_bad=skip_bad,
    )
    lines = checked_lines(source.name, result, method, skip_bad=skip_bad)
    figures = CcotJob(method, later).run(target, lines, {**columns, "skip_bad": skip_bad})
    if json:
        write_json(as_json(figures, str(target.out)))
    elif not later.quiet:
        tell(told(figures))
    require_all(target, figures.job.failed_rows, figures.job.rows, skip_bad=skip_bad)


def _refuse(options: Mapping[str, object], what: str) -> None:
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise InputError(f"{', '.join(given)} is for {what}.")
