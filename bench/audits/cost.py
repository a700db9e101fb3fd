"""Cost: what a strategy really spent, from its ledger."""

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from ..audit import Audit
from ..schema import Evidence, Metric
from ..statistics.estimates import Estimate, nothing
from ..statistics.sample import Sample

_MEANING = {
    "flops": (
        "Floating-point operations of forward and backward in all stages, counted from shapes; "
        "what revises predictions is not counted, see revision_seconds."
    ),
    "tokens": "Tokens read in training, padding not included.",
    "padded_tokens": "Tokens computed in training, padding included.",
    "examples": "Training examples seen, repeats included.",
    "steps": "Optimiser steps.",
    "seconds": "Wall-clock time of training in all stages, and of revising predictions.",
    "revision_seconds": (
        "Wall-clock time of revising stored predictions (thresholds, refitted heads), part of "
        "seconds: its operations are not counted."
    ),
    "peak_memory_bytes": "Largest memory held while training.",
    "trainable_parameters": "Parameters that training may change.",
    "stored_bytes": "Bytes of the parameters that differ from the pretrained model.",
    "energy_joules": "Energy drawn by the accelerator while training (NVML).",
}
METRICS = {
    name: Metric(
        better="lower",
        low=0,
        high=np.inf,
        reference="Henderson et al. (2020), JMLR: what to report",
        definition=f"{meaning} A mean over seeds, without interval.",
    )
    for name, meaning in _MEANING.items()
}


class Cost(Audit):
    metrics = METRICS
    needs = frozenset({"ledgers"})
    on_by_default = True
    section = "cost"

    def estimates(self, evidence: Evidence, sample: Sample) -> Iterator[Estimate]:
        """Yield what each seed's cell spent; nothing without a ledger for every seed."""
        if len(evidence.ledgers) != len(evidence.seeds):
            return
        spent = [asdict(ledger) for ledger in evidence.ledgers]
        for metric in METRICS:
            known = all(ledger[metric] is not None for ledger in spent)
            yield Estimate(
                metric=metric,
                values=np.array([[float(ledger[metric])] for ledger in spent])
                if known
                else nothing(len(spent)),
                n=0,
                family="point",
                undefined="no meter on this machine",
            )
