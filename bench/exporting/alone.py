"""Run an exported folder as anybody would: transformers' pipeline, and nothing of ours.

This file is run by its path in a process of its own, `python -I alone.py REQUEST ANSWER`, and
imports no other file of this package: it makes `tunefair` impossible to import before anything
else. REQUEST is JSON, ANSWER a file of numpy arrays.
"""

import json
import sys
from typing import Any


def main() -> None:
    """Read the request, classify its texts, write the answer; print how far it is."""
    sys.modules["tunefair"] = None  # type: ignore[assignment]  # from now on an ImportError
    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123 - nothing but what it needs
        request = json.load(file)
    import numpy as np

    answers = _answers(request)
    with open(sys.argv[2], "wb") as file:  # noqa: PTH123
        np.savez(file, allow_pickle=False, **answers)


def _answers(request: dict[str, Any]) -> dict[str, Any]:
    """Return probability (n, n_classes) in the order of the classes, and hidden vectors."""
    import numpy as np
    import torch
    from transformers import pipeline
    from transformers.utils import logging

    logging.set_verbosity_error()
    torch.set_num_threads(int(request["threads"]))
    options: dict[str, Any] = {"truncation": True} if request["truncation"] else {}
    classify: Any = pipeline(
        "text-classification", request["folder"], top_k=None, device="cpu", **options
    )
    read = _reader(classify.model) if request["hidden"] else None
    texts, size = request["texts"], int(request["batch_size"])
    order = sorted(range(len(texts)), key=lambda i: -len(str(texts[i])))
    column = {name: number for number, name in enumerate(request["classes"])}
    probability = np.zeros((len(texts), len(column)))
    for begin in range(0, len(order), size):
        rows = order[begin : begin + size]
        with torch.inference_mode():
            answers = classify([texts[i] for i in rows], batch_size=size)
        for row, scores in zip(rows, answers, strict=True):
            for score in scores:
                probability[row, column[score["label"]]] = score["score"]
        print(min(begin + size, len(order)), flush=True)  # noqa: T201 - who waits is told
    found = {"probability": probability}
    if read is not None:
        found["hidden"] = np.concatenate(read)[np.argsort(order)]
    return found


def _reader(model: Any) -> list[Any]:
    """Return a list that grows by the vectors that the classification head reads."""
    import torch

    linear = [m for m in model.modules() if isinstance(m, torch.nn.Linear)]
    head = [m for m in linear if m.out_features == model.config.num_labels][-1]
    ids: list[Any] = []
    read: list[Any] = []

    def listen(_: Any, inputs: Any, named: Any) -> None:
        ids[:] = [named["input_ids"]]

    def keep(_: Any, inputs: Any) -> None:
        hidden = inputs[0]
        if hidden.dim() > 2:  # noqa: PLR2004 - a decoder's head reads every token; the last counts
            position = torch.arange(hidden.shape[1])
            last = (position * (ids[0] != model.config.pad_token_id)).argmax(dim=1)
            hidden = hidden[torch.arange(len(hidden)), last]
        read.append(hidden.float().numpy().copy())

    model.register_forward_pre_hook(listen, with_kwargs=True)
    head.register_forward_pre_hook(keep)
    return read


if __name__ == "__main__":
    main()
