"""The published procedures, as published: correct, and with everything that makes them slow.

Written from the papers' descriptions and with none of headwise, so that equal results mean
something. One example at a time, logits of the whole vocabulary at every position, a hook on every
output projection, one whole forward pass a mask, three passes over the support set, Python loops
over heads. For decoders built like Llama: `layers[i].self_attn.o_proj`.

Sources: SAVs, arXiv:2412.00142; MTV, arXiv:2406.15334.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, cross_entropy
from transformers import PreTrainedModel

_CLAMP = 1e-3


def projections(model: PreTrainedModel) -> list[nn.Module]:
    """The attention output projection of every layer."""
    return [layer.self_attn.o_proj for layer in model.get_decoder().layers]


def n_heads(model: PreTrainedModel) -> int:
    """Query heads a layer."""
    return int(model.config.num_attention_heads)


@torch.no_grad()
def all_logits(model: PreTrainedModel, ids: Sequence[int]) -> Tensor:
    """One forward pass of one sequence, `(tokens, vocabulary)` logits."""
    input_ids = torch.tensor([list(ids)], device=model.device)
    logits: Tensor = model(input_ids=input_ids, attention_mask=torch.ones_like(input_ids)).logits
    return logits[0]


# --- Sparse attention vectors -----------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class NaiveClassifier:
    """What the published procedure learns.

    Args:
        heads: `(layer, head)` of the kept heads, best first.
        centroids: For each kept head `(n_classes, head_dim)`.
        counts: `(layers, heads)` int64: support examples that each head classifies rightly.
    """

    heads: tuple[tuple[int, int], ...]
    centroids: tuple[Tensor, ...]
    counts: Tensor


def last_token_heads(model: PreTrainedModel, ids: Sequence[int]) -> Tensor:
    """Every head's output at the last token, `(layers, heads, head_dim)`."""
    kept: dict[int, Tensor] = {}
    handles = [
        projection.register_forward_hook(_keep(kept, number))
        for number, projection in enumerate(projections(model))
    ]
    try:
        all_logits(model, ids)
    finally:
        for handle in handles:
            handle.remove()
    rows = [kept[number][0, -1].reshape(n_heads(model), -1) for number in sorted(kept)]
    return torch.stack(rows)


def _keep(kept: dict[int, Tensor], number: int) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        kept[number] = inputs[0].detach().clone()

    return hook


def class_centroids(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], labels: Sequence[int]
) -> Tensor:
    """Mean head outputs of each class, `(n_classes, layers, heads, head_dim)`."""
    means = []
    for label in sorted(set(labels)):
        of_class = [ids for ids, other in zip(prompts, labels, strict=True) if other == label]
        means.append(torch.stack([last_token_heads(model, ids) for ids in of_class]).mean(dim=0))
    return torch.stack(means)


def fit_classifier(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    labels: Sequence[int],
    n_kept: int = 20,
) -> NaiveClassifier:
    """Fits sparse attention vectors in three passes over the support set.

    Args:
        model: A model built like Llama.
        prompts: Token sequences.
        labels: Class numbers, from 0 without gaps.
        n_kept: Heads to keep; of equal ones the first.

    Returns:
        The classifier.
    """
    centroids = class_centroids(model, prompts, labels)
    counts = torch.zeros(centroids.shape[1:3], dtype=torch.long)
    for ids, label in zip(prompts, labels, strict=True):
        found = last_token_heads(model, ids)
        for layer in range(counts.shape[0]):
            for head in range(counts.shape[1]):
                similar = cosine_similarity(found[layer, head], centroids[:, layer, head], dim=-1)
                counts[layer, head] += int(similar.argmax()) == label
    order = counts.flatten().argsort(descending=True, stable=True)[:n_kept].tolist()
    heads = tuple(divmod(place, counts.shape[1]) for place in order)
    again = class_centroids(model, prompts, labels)
    return NaiveClassifier(heads, tuple(again[:, layer, head] for layer, head in heads), counts)


def votes(model: PreTrainedModel, classifier: NaiveClassifier, ids: Sequence[int]) -> list[int]:
    """The class that each kept head votes for, best head first."""
    found = last_token_heads(model, ids)
    return [
        int(cosine_similarity(found[layer, head], centroids, dim=-1).argmax())
        for (layer, head), centroids in zip(classifier.heads, classifier.centroids, strict=True)
    ]


def predict(model: PreTrainedModel, classifier: NaiveClassifier, ids: Sequence[int]) -> int:
    """The class with most votes; of equal ones the one voted for first."""
    return Counter(votes(model, classifier, ids)).most_common(1)[0][0]


# --- Steering and head search -----------------------------------------------------------------


def steered_logits(
    model: PreTrainedModel, ids: Sequence[int], vectors: Sequence[Tensor], mask: Tensor
) -> Tensor:
    """Logits at the last token while masked heads say something else there.

    Args:
        model: A model built like Llama.
        ids: The prompt.
        vectors: One `(heads, head_dim)` tensor a layer.
        mask: `(layers * heads,)` bool; True replaces the head's output at the last token.

    Returns:
        `(vocabulary,)` logits.
    """
    chosen = [divmod(int(place), n_heads(model)) for place in mask.nonzero().flatten()]
    with _edited(model, vectors, chosen):
        return all_logits(model, ids)[-1]


@contextmanager
def _edited(
    model: PreTrainedModel, vectors: Sequence[Tensor], chosen: Sequence[tuple[int, int]]
) -> Iterator[None]:
    handles = [
        projection.register_forward_hook(_edit(model, number, vectors[number], chosen))
        for number, projection in enumerate(projections(model))
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _edit(
    model: PreTrainedModel, number: int, vectors: Tensor, chosen: Sequence[tuple[int, int]]
) -> Callable[..., Tensor | None]:
    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        if all(layer != number for layer, _ in chosen):
            return None
        edited = inputs[0].clone()
        by_head = edited.view(*edited.shape[:-1], n_heads(model), -1)
        for layer, head in chosen:
            if layer == number:
                by_head[0, -1, head] = vectors[head].to(edited.device, edited.dtype)
        # The hook edits the projection's output, so it projects every token a second time.
        again: Tensor = module.forward(edited)
        return again

    return hook


def mask_losses(
    model: PreTrainedModel,
    ids: Sequence[int],
    target: int,
    vectors: Sequence[Tensor],
    masks: Tensor,
) -> Tensor:
    """Cross-entropy of the target token under each mask, one whole forward pass a mask.

    Args:
        model: A model built like Llama.
        ids: The prompt.
        target: The token that should follow it.
        vectors: One `(heads, head_dim)` tensor a layer.
        masks: `(S, layers * heads)` bool.

    Returns:
        `(S,)` float32 on the CPU.
    """
    wanted = torch.tensor(target, device=model.device)
    losses = [
        cross_entropy(steered_logits(model, ids, vectors, mask).float(), wanted) for mask in masks
    ]
    return torch.stack(losses).cpu()


def first_masks(n_all_heads: int, n_masks: int, seed: int) -> Tensor:
    """The masks of a search's first epoch, `(n_masks, n_all_heads)` bool: logits are all -1."""
    generator = torch.Generator().manual_seed(seed)
    probability = torch.sigmoid(torch.tensor(-1.0))
    return torch.rand(n_masks, n_all_heads, generator=generator) < probability


def first_epoch(
    losses_of: Callable[[Tensor], Tensor], n_all_heads: int, n_masks: int, seed: int
) -> Tensor:
    """The first epoch of the published search: masks drawn, run, and learnt from.

    Args:
        losses_of: Gives the `(S,)` losses of `(S, H)` masks.
        n_all_heads: Heads of the model.
        n_masks: Masks to draw.
        seed: Seed of the masks.

    Returns:
        `(n_all_heads,)` float32 logits after the step.
    """
    logits = torch.full((n_all_heads,), -1.0, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.1)
    masks = first_masks(n_all_heads, n_masks, seed)
    losses = losses_of(masks)
    advantages = (losses - losses.mean()) / (losses.std() + 1e-3)
    probabilities = torch.sigmoid(logits).clamp(_CLAMP, 1 - _CLAMP)
    likelihood = torch.where(masks, probabilities, 1 - probabilities).log().sum(dim=1)
    (advantages * likelihood).mean().backward()
    optimizer.step()
    return logits.detach()
