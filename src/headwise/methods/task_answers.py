"""When a generated text is the answer that was wanted."""

from __future__ import annotations


def is_answer(generated: str, target: str) -> bool:
    """Whether a text gives the target: the first line is the same but for case and outer blanks.

    Of a target that has several lines itself, all of the text must be the same.

    Args:
        generated: What the model wrote.
        target: What it should have written.

    Returns:
        Whether it is right.
    """
    wanted, found = target.strip().casefold(), generated.strip().casefold()
    if "\n" not in wanted:
        found = found.partition("\n")[0].strip()
    return found == wanted
