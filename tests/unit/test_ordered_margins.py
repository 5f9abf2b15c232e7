import numpy as np
import pytest

from headwise.baselines.token_probability import TokenProbability
from headwise.errors import InputError
from headwise.examples import Preference
from headwise.methods.activation_reward import ActivationRewardModel
from headwise.methods.contracts import OrderedRewarder

PAIRS = [Preference(f"question {n}?", f"the good answer {n}", f"bad {n}") for n in range(5)]
REVERSED = [Preference(p.prompt, p.rejected, p.chosen) for p in PAIRS]
METHODS = {
    "heads": lambda form: ActivationRewardModel("It is good.", form, readout="sparse", n_heads=4),
    "asked": lambda form: TokenProbability("It is good.", form),
}


@pytest.mark.parametrize("name", METHODS)
def test_margins_of_both_orders_are_the_margin(tiny_engine, name):
    rewarder = METHODS[name]("ranked").fit(tiny_engine, PAIRS)
    assert isinstance(rewarder, OrderedRewarder)
    assert rewarder.shows_order
    ordered, margins = rewarder.ordered_margins(PAIRS), rewarder.margins(PAIRS)
    assert ordered.shape == (5, 2)
    together = ordered.sum(axis=1) if name == "heads" else ordered.mean(axis=1)
    np.testing.assert_allclose(together, margins, atol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_the_reversed_pair_is_the_other_order_with_the_other_sign(tiny_engine, name):
    rewarder = METHODS[name]("ranked").fit(tiny_engine, PAIRS)
    ordered = rewarder.ordered_margins(PAIRS)
    np.testing.assert_allclose(rewarder.ordered_margins(REVERSED), -ordered[:, ::-1], atol=1e-5)
    # Else the order would be of no effect, and nothing would be tested here.
    assert np.abs(ordered[:, 0] - ordered[:, 1]).max() > 1e-4


@pytest.mark.parametrize("name", METHODS)
def test_what_judges_alone_shows_no_order(tiny_engine, name):
    rewarder = METHODS[name]("scalar").fit(tiny_engine, PAIRS)
    assert not rewarder.shows_order
    with pytest.raises(InputError, match="ranked form"):
        rewarder.ordered_margins(PAIRS)
