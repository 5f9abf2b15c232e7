"""Compositional chain of thought: a scene graph first, then the answer with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from headwise.engines.base import Engine
from headwise.engines.usage import usage_of, usage_since
from headwise.examples import Example
from headwise.graphs import read_scene_graph
from headwise.methods.answers import Answered, Answers
from headwise.methods.asking import AnswerSettings, FirstCalls, Writing
from headwise.methods.text_cache import TextCache
from headwise.prompts.answer_format import Question
from headwise.prompts.compositional import CompositionalPrompt


@dataclass(frozen=True, eq=False)
class CompositionalChainOfThought:
    """Answers questions about images in two calls of one frozen model, with no training.

    The first call writes a scene graph of what matters for the question, as JSON; the second one
    answers with image, graph and question. Both are greedy. It runs on any engine that generates,
    so on hosted models as well (`OpenAIEngine`).

    Source: Compositional Chain-of-Thought (arXiv:2311.17076). Ours are the wording and the caps on
    answers. The second call is shown the graph as it was read, closed again where it was cut off,
    in one compact form; published is what was written, which `as_written` gives.

    Args:
        engine: The model.
        settings: What answers are, and how they are had.
        prompt: How the calls are put; its options are the ablations of the paper.
        max_graph_tokens: Cap on the first call. Published: 256.
        as_written: Whether the second call is shown just what the first wrote.
        cache: Where graphs are kept: one is written once for an image and a question.

    Raises:
        InputError: The cap is none.
    """

    engine: Engine
    settings: AnswerSettings = field(default_factory=AnswerSettings)
    prompt: CompositionalPrompt = field(default_factory=CompositionalPrompt)
    max_graph_tokens: int = 256
    as_written: bool = False
    cache: TextCache = field(default_factory=TextCache)

    def __post_init__(self) -> None:
        # Said now, rather than at the first question.
        FirstCalls(self.max_graph_tokens, self.cache)

    def answer(self, examples: Sequence[Example], *, progress: bool = False) -> Answers:
        """Answers questions about images.

        Args:
            examples: `n` questions: the text, the images, and as fields `A`, `B`, ... the options
                if the format has any; labels are ignored.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `n` answers with their graphs, how many calls were made, and the tokens where the
            engine counts them.

        Raises:
            InputError: There is no example, or one lacks its question, image or options.
            EngineError: The model failed.
        """
        before = usage_of(self.engine)
        questions = self.settings.questions(examples, need_images=True)
        writings = self._write(examples, questions, progress=progress)
        is_graph = self.prompt.aid == "graph"
        graphs = [read_scene_graph(writing.text) if is_graph else None for writing in writings]
        conversations = [
            self.prompt.second(
                example,
                question,
                writing.text if graph is None or self.as_written else graph.text,
            )
            for example, question, writing, graph in zip(
                examples, questions, writings, graphs, strict=True
            )
        ]
        found = self.settings.answers(self.engine, conversations, questions, progress=progress)
        items = tuple(
            Answered(answer, text, writing.text, graph, writing.from_cache)
            for (text, answer), writing, graph in zip(found, writings, graphs, strict=True)
        )
        n_first = sum(not writing.from_cache for writing in writings)
        return Answers(items, n_first + len(items), usage_since(self.engine, before))

    def generate(self, examples: Sequence[Example], *, progress: bool = False) -> list[str]:
        """What the model writes as answers, unread; see `answer`.

        Returns:
            `n` texts.
        """
        return [item.text for item in self.answer(examples, progress=progress)]

    def write(self, examples: Sequence[Example], *, progress: bool = False) -> list[str]:
        """The first call alone.

        Args:
            examples: `n` questions with their images.
            progress: Whether to show a progress bar on stderr.

        Returns:
            `n` scene graphs as they were written, or what else the prompt asks for.
        """
        questions = self.settings.questions(examples, need_images=True)
        return [w.text for w in self._write(examples, questions, progress=progress)]

    def _write(
        self, examples: Sequence[Example], questions: Sequence[Question], *, progress: bool
    ) -> list[Writing]:
        first = FirstCalls(self.max_graph_tokens, self.cache)
        conversations = [
            self.prompt.first(example, question)
            for example, question in zip(examples, questions, strict=True)
        ]
        return first.write(self.engine, conversations, progress=progress)
