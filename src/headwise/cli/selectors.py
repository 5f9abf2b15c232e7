"""The choice of steered heads, as options say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwise.selection.named import Selector, SelectorName


def chosen_selector(
    name: SelectorName | None,
    usual: SelectorName,
    *,
    paper: bool,
    epochs: int | None,
    seed: int,
) -> Selector:
    """The selector that options ask for.

    Args:
        name: `--selector`.
        usual: The method's own where no option asks for another.
        paper: `--paper`; without a name, its selector is the published search.
        epochs: `--epochs`.
        seed: `--seed`.

    Returns:
        The selector.

    Raises:
        InputError: Epochs of a selector that takes none.
    """
    from headwise.selection.named import named_search, with_epochs
    from headwise.selection.reinforce import Reinforce

    if name is None and paper:
        search = Reinforce.paper(seed=seed)
        return search if epochs is None else with_epochs(search, epochs)
    if epochs is None:
        return name or usual
    # Every model that the command line runs gives gradients.
    return with_epochs(named_search(name or usual, seed, gradients=True), epochs)
