import json

import pytest

from headwise.errors import InputError
from headwise.evaluation.audit import RELEASED_SPLITS, read_released, released_preferences

ROW = {"prompt": "Is it?", "chosen": "No.", "rejected": "Yes, of course!"}


def write(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("split", RELEASED_SPLITS)
@pytest.mark.parametrize("place", ["data/{}.jsonl", "{}.jsonl"])
def test_a_folder_is_read_as_the_hub_has_it_or_flat(tmp_path, split, place):
    write(tmp_path / place.format(split), ROW, ROW)
    read = read_released(split, data=tmp_path)
    assert [(p.prompt, p.chosen, p.rejected) for p in read.items] == [tuple(ROW.values())] * 2
    assert {p.split for p in read.items} == {split}
    assert [p.id for p in read.items] == [f"{split}-1", f"{split}-2"]


@pytest.mark.parametrize(
    "names",
    [
        ("prompt", "chosen", "rejected"),
        ("Question", "good_response", "bad_response"),
        ("instruction", "preferred", "dispreferred"),
        ("query", "chosen_response", "rejected_response"),
        ("input", "unbiased", "biased"),
    ],
)
def test_columns_are_found_by_many_names(names):
    row = dict(zip(names, ROW.values(), strict=True))
    (pair,) = released_preferences([{"index": 3, **row}], "length")
    assert (pair.prompt, pair.chosen, pair.rejected, pair.split) == (*ROW.values(), "length")


def test_a_row_may_name_its_split_itself():
    pairs = released_preferences([{**ROW, "subset": "length"}, {**ROW, "subset": "positivity"}])
    assert [pair.split for pair in pairs] == ["length", "positivity"]


def test_messages_and_whole_dialogues_are_read():
    turns = [{"role": "user", "content": "Is it?"}]
    said = [[*turns, {"role": "assistant", "content": text}] for text in ("No.", "Yes.")]
    (pair,) = released_preferences([{"chosen": said[0], "rejected": said[1]}])
    assert list(pair.prompt) == turns
    assert (pair.chosen, pair.rejected) == ("No.", "Yes.")


def test_unknown_columns_can_be_named():
    row = {"q": "Is it?", "a": "No.", "b": "Yes."}
    with pytest.raises(InputError, match=r"Columns found: q, a, b.*chosen=\.\.\."):
        released_preferences([row])
    (pair,) = released_preferences([row], prompt="q", chosen="a", rejected="b")
    assert pair.rejected == "Yes."


def test_without_a_network_the_way_out_is_told(monkeypatch, tmp_path):
    import huggingface_hub

    def fail(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    with pytest.raises(InputError, match=r"data/length\.jsonl .*no network.*--data DIR"):
        read_released("length")


def test_a_folder_without_the_split_and_an_unknown_split_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"neither data/all\.jsonl nor all\.jsonl"):
        read_released(data=tmp_path)
    with pytest.raises(InputError, match="has the splits"):
        read_released("kindness", data=tmp_path)
