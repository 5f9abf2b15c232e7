"""An integration whose framework is missing says how to install it."""

from __future__ import annotations

import importlib
import sys

import pytest

from headwise.errors import MissingExtraError


@pytest.mark.parametrize(
    ("module", "framework", "extra"),
    [("inspect_ai", "inspect_ai.scorer", "inspect"), ("lm_eval", "lm_eval.api.model", "lm-eval")],
)
def test_a_missing_framework_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, module: str, framework: str, extra: str
) -> None:
    for name in (framework.partition(".")[0], framework):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"headwise.integrations.{module}", raising=False)
    with pytest.raises(MissingExtraError, match=rf"pip install 'headwise\[{extra}\]'"):
        importlib.import_module(f"headwise.integrations.{module}")
