"""`headwise audit` through the command line: servers, artifacts, methods, own rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import done, failed, write_jsonl

from headwise.evaluation.audit import AuditReport
from reward_stub import reward_stub

OWN = [
    {"question": f"What is {n} and {n}?", "right": f"It is {2 * n}.", "wrong": f"It is {2 * n + 1}"}
    for n in range(10, 22)
]


def longer_text(body):
    return {"rewards": [float(len(query)) for query in body["query"]]}


def longer_response(body):
    return {"rewards": [float(len(item["response"].split())) for item in body["items"]]}


@pytest.mark.parametrize(
    ("answer", "route", "form"),
    [(longer_text, "get_reward", "openrlhf"), (longer_response, "v1/rewards", "headwise")],
)
def test_a_server_that_prefers_longer_answers_has_a_length_bias_and_no_other(answer, route, form):
    with reward_stub(answer) as address:
        result = done(
            *("audit", "--url", f"{address}/{route}", "--url-form", form, "--items", 16),
            *("--json", "--quiet"),
        )
    document = json.loads(result.stdout)
    assert document["found"] == ["length"]
    biases = {one["bias"] for one in document["findings"]}
    assert biases == {
        *("length", "formatting", "positivity", "flattery", "confidence"),
        *("sycophancy", "authority", "keywords"),
    }
    assert document["not_applicable"] == ["position"]


def test_an_audit_of_own_rows_is_kept_in_a_folder_and_gone_on_with(tmp_path):
    rows = write_jsonl(tmp_path / "own.jsonl", OWN)
    asked = []

    def answer(body):
        asked.append(len(body["query"]))
        return longer_text(body)

    with reward_stub(answer) as address:
        options = ("audit", "--url", f"{address}/get_reward", "--url-form", "openrlhf")
        options += ("--rows", rows, "--biases", "length,flattery", "--strengths", "1,3")
        first = done(*options, "-o", tmp_path / "audit")
        n_asked = len(asked)
        second = done(*options, "-o", tmp_path / "audit")
        assert len(asked) == n_asked > 0
        said = failed(2, *options, "-o", tmp_path / "audit", "--seed", 1)
    assert first.stdout == second.stdout == (tmp_path / "audit" / "audit.md").read_text()
    report = AuditReport.from_json((tmp_path / "audit" / "audit.json").read_text())
    assert report.found == ("length",)
    assert report.settings.items == len(OWN)
    assert report.source == str(rows)
    assert "another job" in said


@pytest.mark.parametrize("form", ["scalar", "ranked", "rewards"])
def test_an_artifact_is_audited_for_order_where_it_compares(request, form):
    folder = request.getfixturevalue(f"{form}_folder")
    result = done(
        *("audit", folder, "--items", 2, "--biases", "flattery,position", "--strengths", 1),
        *("--few-shot", 4, "--json", "-q"),
    )
    document = json.loads(result.stdout)
    measured = {one["bias"] for one in document["findings"]}
    assert measured == ({"flattery"} if form == "scalar" else {"flattery", "position"})
    assert any("do not apply" in note for note in document["notes"])


def test_a_method_learns_from_added_pairs(model_folder):
    result = done(
        *(
            "audit",
            "--method",
            "sparse-reward",
            "--model",
            model_folder,
            "--items",
            2,
            "--shots",
            4,
        ),
        *("--items", 2, "--biases", "length", "--strengths", 1),
        *("--few-shot", "0,2", "--noise", "0,0.5"),
        *("--json", "-q"),
    )
    conditions = [one["condition"] for one in json.loads(result.stdout)["findings"]]
    assert conditions == [
        {"added_pairs": 0, "noise": 0.0},
        {"added_pairs": 2, "noise": 0.0},
        {"added_pairs": 2, "noise": 0.5},
    ]


def test_a_comparing_judge_is_audited_for_order(model_folder):
    result = done(
        *("audit", "--method", "pairwise-judge", "--model", model_folder, "--items", 2),
        *("--biases", "position", "--json", "-q"),
    )
    assert [one["bias"] for one in json.loads(result.stdout)["findings"]] == ["position"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Say what to audit"),
        (("judge", "--method", "probe"), "one thing only"),
        (("--method", "oracle"), "There is no reward method 'oracle'"),
        (("--url", "ftp://x"), "http:// or https://"),
        (("--url", "http://x/y", "--model", "z"), "not for a --url"),
        (("--url", "http://x/y", "--biases", "greed"), "A bias is one of"),
        (("--url", "http://x/y", "--strengths", "1,9"), "Strengths are among"),
        (("--url", "http://x/y", "--few-shot", "many"), "--few-shot takes numbers"),
        (("--url", "http://x/y", "--biases", "usual"), "--images"),
        (("--url", "http://x/y", "--question", "q"), "are for --rows"),
        (("--url", "http://x/y", "--criterion", "Good."), "is for --method"),
        (("judge", "--url-model", "z"), "are for --url"),
        (("--url", "http://x/y", "--items", 9999), "too few"),
    ],
)
def test_misuse_is_told(arguments, said):
    assert said in failed(2, "audit", *arguments)


def test_a_classifier_is_no_reward_model(classifier_folder: Path):
    assert "is no reward model" in failed(2, "audit", classifier_folder, "--items", 2)


def test_pictures_are_sent_where_a_server_takes_them():
    seen = []

    def answer(body):
        seen.extend(item["messages"][0]["content"] for item in body["items"])
        return longer_response(body)

    with reward_stub(answer) as address:
        result = done(
            *("audit", "--url", f"{address}/v1/rewards", "--images", "--items", 6),
            *("--biases", "length,usual", "--strengths", 2, "--json", "-q"),
        )
    document = json.loads(result.stdout)
    assert document["found"] == ["length"]
    assert {one["bias"] for one in document["findings"]} == {"length", "usual"}
    assert all(any(part["type"] != "text" for part in content) for content in seen)
