"""Drawn scenes and everything that can be said of them: questions, captions, graphs, pairs.

A `Scene` is a value; `render` draws it with the optional package Pillow, which nothing else needs.
"""

from headwise.scenes.answers import padded_sentence, wrong_answers
from headwise.scenes.backdrop import Background, Clutter, Dot, Line
from headwise.scenes.captions import Detail, caption
from headwise.scenes.description import Description, Referent, refer, references
from headwise.scenes.graph import graph_json
from headwise.scenes.judgements import (
    PAIR_STYLES,
    PairStyle,
    SceneJudgement,
    judgement_questions,
    scene_preferences,
)
from headwise.scenes.question import (
    QUESTION_KINDS,
    AnswerKind,
    Needs,
    QuestionKind,
    SceneQuestion,
)
from headwise.scenes.questions import questions
from headwise.scenes.relations import Relation, clear_relations, direction_of
from headwise.scenes.rendering import render
from headwise.scenes.sampler import SceneSampler
from headwise.scenes.scene import Box, Scene, SceneObject
from headwise.scenes.vocabulary import (
    BACKGROUNDS,
    COLORS,
    DIRECTIONS,
    LABELS,
    PROTOTYPES,
    SHAPES,
    SIZES,
    TEXTURES,
    USUAL_COLORS,
)

__all__ = [
    "BACKGROUNDS",
    "COLORS",
    "DIRECTIONS",
    "LABELS",
    "PAIR_STYLES",
    "PROTOTYPES",
    "QUESTION_KINDS",
    "SHAPES",
    "SIZES",
    "TEXTURES",
    "USUAL_COLORS",
    "AnswerKind",
    "Background",
    "Box",
    "Clutter",
    "Description",
    "Detail",
    "Dot",
    "Line",
    "Needs",
    "PairStyle",
    "QuestionKind",
    "Referent",
    "Relation",
    "Scene",
    "SceneJudgement",
    "SceneObject",
    "SceneQuestion",
    "SceneSampler",
    "caption",
    "clear_relations",
    "direction_of",
    "graph_json",
    "judgement_questions",
    "padded_sentence",
    "questions",
    "refer",
    "references",
    "render",
    "scene_preferences",
    "wrong_answers",
]
