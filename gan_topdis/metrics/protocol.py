"""Numbers of points and votes behind published scores, and a cheaper set of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Protocol:
    """Attributes: its name; rows for MIG and modularity; training and test rows of SAP and explicitness, and
    of DCI; rows behind the variances of FactorVAE; training and evaluation votes of FactorVAE and points of
    the BetaVAE score; rows per vote or point."""

    name: str
    points: int = 10_000
    sap_train: int = 10_000
    sap_test: int = 5_000
    dci_train: int = 10_000
    dci_test: int = 5_000
    variance_points: int = 10_000
    train_votes: int = 10_000
    eval_votes: int = 5_000
    group: int = 64


PROTOCOLS = {
    "paper": Protocol("paper"),
    # DCI is nearly all of the cost; the others would gain a second and change their values
    "fast": Protocol("fast", dci_train=1_000, dci_test=500),
}
"""`paper`: the counts since disentanglement_lib; `fast`: the same with DCI on a tenth of the rows."""


def protocol_named(name: str) -> Protocol:
    """Raises: ValueError: an unknown name."""
    if name not in PROTOCOLS:
        raise ValueError(f"protocol should be one of {', '.join(PROTOCOLS)}, got {name!r}")
    return PROTOCOLS[name]
