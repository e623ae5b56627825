"""What a run of training needs to go on where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from vid2kp.errors import UsageError
from vid2kp.files import output_errors, remove_parts, replacing
from vid2kp.training.curve import keep_losses


class Checkpoint:
    """State of a run in ``checkpoint.pt``, replaced in one step, and its curve in ``loss.jsonl``.

    Args:
        folder: of the run.
        facts: what a run must have in common with its continuation.
    """

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        self.folder = folder
        self.path = folder / "checkpoint.pt"
        self.curve = folder / "loss.jsonl"
        self.facts = facts

    def restore(
        self, network: nn.Module, averaged: nn.Module, optimizer: torch.optim.Optimizer
    ) -> int:
        """Load the checkpoint if there is one; returns the step to go on with.

        Raises:
            UsageError: it is damaged, or of a run with other facts.
            OutputError: the folder cannot be written.
        """
        step = 0
        if self.path.exists():
            try:
                step = self._load(network, averaged, optimizer)
            except UsageError:
                raise
            except Exception as error:  # of a cut or foreign file torch raises many kinds
                raise UsageError(
                    "The checkpoint in the folder is damaged.",
                    hint="Remove it, or give another folder.",
                ) from error
        with output_errors():
            remove_parts(self.folder)
        keep_losses(self.curve, before=step)
        return step

    def save(
        self, step: int, network: nn.Module, averaged: nn.Module, optimizer: torch.optim.Optimizer
    ) -> None:
        """Put the state after `step` steps in the place of the one before.

        Raises:
            OutputError: it cannot be written; the one before stays.
        """
        saved = {
            "step": step,
            "facts": self.facts,
            "network": network.state_dict(),
            "averaged": averaged.state_dict(),
            "optimizer": optimizer.state_dict(),
        }
        # Into an open file: of a full disk torch itself makes a RuntimeError.
        with replacing(self.path) as part, output_errors(), part.open("wb") as file:
            torch.save(saved, file)

    def _load(
        self, network: nn.Module, averaged: nn.Module, optimizer: torch.optim.Optimizer
    ) -> int:
        saved = torch.load(self.path, map_location="cpu", weights_only=True)
        if saved["facts"] != self.facts:
            raise UsageError(
                "The folder holds a run with other options, another network or other data.",
                hint="Give another folder, or the same options.",
            )
        network.load_state_dict(saved["network"])
        averaged.load_state_dict(saved["averaged"])
        optimizer.load_state_dict(saved["optimizer"])
        return int(saved["step"])


def trained_on(folder: Path) -> list[dict[str, Any]]:
    """What a run has seen, source by source: its share, its pictures, the SHA-256 of its labels.

    Args:
        folder: of a run with a checkpoint.
    """
    saved = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True, mmap=True)
    return [
        {"share": round(share, 6), "pictures": pictures, "labels_sha256": digest}
        for pictures, share, digest in saved["facts"]["data"]
    ]
