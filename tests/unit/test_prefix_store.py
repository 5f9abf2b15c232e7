"""Prefixes are run once while there is memory for them, and come back as they were."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from headwise.engines.transformers.prefix_store import PrefixStore
from headwise.engines.transformers.prefixes import PrefixStates, side_by_side

Ids = tuple[int, ...]
# Two layers of keys and values, two heads of width three, float32.
BYTES = 2 * 2 * 2 * 3 * 4


def states(ids: Ids) -> PrefixStates:
    """States by which one can tell the prefix and the token."""
    token = torch.tensor(ids, dtype=torch.float32)[None, None, :, None].expand(1, 2, -1, 3)
    return PrefixStates(tuple((token + layer, -token - layer) for layer in (0.0, 0.5)), len(ids))


class Runner:
    """Runs prefixes and remembers which."""

    def __init__(self) -> None:
        self.ran: list[Ids] = []

    def __call__(self, ids: Ids) -> PrefixStates:
        self.ran.append(ids)
        return states(ids)


def content(found: PrefixStates) -> list[Tensor]:
    return [tensor[:, :, : found.length] for pair in found.layers for tensor in pair]


def assert_is(found: PrefixStates, ids: Ids) -> None:
    assert found.length == len(ids)
    for ours, expected in zip(content(found), content(states(ids)), strict=True):
        assert torch.equal(ours, expected)


A, B, C, D = (1, 2, 3), (4, 5, 6), (7, 8, 9), (10, 11, 12)


def test_a_kept_prefix_is_not_run_again() -> None:
    run = Runner()
    store = PrefixStore(run, byte_budget=10 * BYTES)
    for _ in range(2):
        for found, ids in zip(store.get([A, B, A], 2), (A, B, A), strict=True):
            assert_is(found, ids)
            assert found.room >= 2
    assert run.ran == [A, B]


def test_the_least_recently_used_goes_first() -> None:
    run = Runner()
    store = PrefixStore(run, byte_budget=2 * 3 * BYTES)
    for ids in (A, B, A, C, A, B):
        store.get([ids], 0)
    assert run.ran == [A, B, C, B]


@pytest.mark.parametrize("room", [0, 4])
def test_the_budget_is_one_of_bytes_with_the_room(room: int) -> None:
    for fit in (1, 2, 3):
        run = Runner()
        store = PrefixStore(run, byte_budget=fit * (3 + room) * BYTES)
        for ids in (A, B, C, D)[: fit + 1]:
            store.get([ids], room)
        store.get([B], room)
        store.get([A], room)
        # One too many was asked for: the first had to go.
        assert run.ran == [*(A, B, C, D)[: fit + 1], A] or fit == 1


def test_the_last_prefix_is_kept_whatever_its_size() -> None:
    run = Runner()
    store = PrefixStore(run, byte_budget=0)
    store.get([A], 0)
    store.get([A], 0)
    assert run.ran == [A]


def test_what_is_asked_for_together_is_given_whatever_the_budget() -> None:
    store = PrefixStore(Runner(), byte_budget=0)
    for found, ids in zip(store.get([A, B, C], 1), (A, B, C), strict=True):
        assert_is(found, ids)


def test_spilled_prefixes_come_back_without_being_run() -> None:
    run = Runner()
    store = PrefixStore(run, byte_budget=3 * BYTES, spill_budget=2 * 3 * BYTES)
    for ids in (A, B, C, A, B, C):
        assert_is(store.get([ids], 0)[0], ids)
    assert run.ran == [A, B, C]
    store.get([D], 0)
    store.get([A], 0)
    assert run.ran == [A, B, C, D, A]


def test_spilled_prefixes_are_on_the_cpu_and_come_back_to_their_devices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moves: list[set[str]] = []
    plain = PrefixStates.on

    def on(self: PrefixStates, devices: tuple[torch.device, ...]) -> PrefixStates:
        moves.append({device.type for device in devices})
        return plain(self, [torch.device("cpu")] * len(devices))

    monkeypatch.setattr(PrefixStates, "on", on)
    monkeypatch.setattr(PrefixStates, "devices", (torch.device("meta"),) * 2)
    store = PrefixStore(Runner(), byte_budget=3 * BYTES, spill_budget=9 * BYTES)
    store.get([A], 0)
    store.get([B], 0)
    assert moves == [{"cpu"}]
    assert_is(store.get([A], 0)[0], A)
    assert moves == [{"cpu"}, {"meta"}, {"cpu"}]


def test_forgetting_forgets_what_was_spilled_too() -> None:
    run = Runner()
    store = PrefixStore(run, byte_budget=3 * BYTES, spill_budget=9 * BYTES)
    for _ in range(2):
        store.get([A], 0)
        store.get([B], 0)
        store.clear()
    assert run.ran == [A, B, A, B]


def test_a_tail_is_written_behind_the_prefix_and_into_nothing_else() -> None:
    prefix = states(A).with_room(2)
    assert prefix.room == 2
    memory = prefix.layers[0][0]
    new = torch.full((1, 2, 2, 3), 77.0)
    for _ in range(2):
        cache = prefix.tail_cache()
        assert cache.get_seq_length() == 3
        keys, values = cache.update(new, -new, 0)
        assert cache.get_seq_length() == 5
        assert keys.data_ptr() == memory.data_ptr()
        assert torch.equal(keys, torch.cat([states(A).layers[0][0], new], dim=2))
        assert torch.equal(values, torch.cat([states(A).layers[0][1], -new], dim=2))
        assert_is(prefix, A)


def test_prefixes_side_by_side_are_padded_with_zeros() -> None:
    short = (5,)
    joined = side_by_side([states(A), states(short)], 2)
    assert (joined.length, joined.room) == (3, 2)
    keys = joined.layers[1][0]
    assert torch.equal(keys[0, 0, :, 0], torch.tensor([1.5, 2.5, 3.5, 0, 0]))
    assert torch.equal(keys[1, 1, :, 2], torch.tensor([5.5, 0, 0, 0, 0]))
