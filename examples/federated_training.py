"""Two hospitals train one classifier of movement, and no track leaves its hospital.

    make federated

or step by step, with the requirements of this example in an environment of their own (Flower and
vid2kp want different versions of the same libraries; vid2kp is not needed here):

    python examples/make_movements.py out/movements
    python -m venv .venv-federated
    .venv-federated/bin/python -m pip install -r examples/federated_requirements.txt
    .venv-federated/bin/python examples/federated_training.py out/movements/hospital_*

Each folder holds ``<pseudonym>/tracks.parquet`` and ``labels.csv``. The model is trained by
federated averaging with Flower: its strategy `FedAvg` and its `ClientApp` do the work. Here all
takes place in one process and without a network (`OneMachine`); the same strategy and client run
under Flower's own SuperLink and SuperNodes where hospitals are apart.

What crosses between hospital and server is printed at the end: weights of the model, and numbers
of windows and infants. Models are judged by infants that none of their training has seen: each
infant is held out once, with all its recordings.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["FLWR_TELEMETRY_ENABLED"] = "0"  # before Flower is imported, which would call home

import torch
from flwr.app import (
    ArrayRecord,
    ConfigRecord,
    Context,
    Message,
    MessageType,
    MetricRecord,
    RecordDict,
)
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg
from flwr.supercore.task_identity import TaskIdentity
from movement_classifier import Classifier, Infant, count_right, load_infants, split, train

EPOCHS = 2
"""Passes over its own data that a hospital makes in each round."""
RATE = 3e-3


def client_app(infants: Sequence[Infant], folds: int) -> ClientApp:
    """What runs at one hospital: it sees its own infants and answers two kinds of message."""
    app = ClientApp()

    @app.train()  # type: ignore[untyped-decorator]
    def _train(message: Message, context: Context) -> Message:
        model, config = _model(message), message.content["config"]
        own, _ = split(infants, int(config["fold"]), folds)
        loss = train(model, own, epochs=EPOCHS, rate=RATE, seed=int(config["server-round"]))
        count = sum(len(infant.windows) for infant in own)
        content = RecordDict(
            {
                "arrays": ArrayRecord(model.state_dict()),
                "metrics": MetricRecord({"loss": loss, "num-examples": count}),
            }
        )
        return Message(content, reply_to=message)

    @app.evaluate()  # type: ignore[untyped-decorator]
    def _evaluate(message: Message, context: Context) -> Message:
        _, held_out = split(infants, int(message.content["config"]["fold"]), folds)
        counts = count_right(_model(message), held_out)
        return Message(RecordDict({"metrics": MetricRecord(dict(counts))}), reply_to=message)

    return app


@dataclass
class OneMachine(Grid):  # type: ignore[misc]
    """Hands messages of the server to the clients within this process.

    Attributes:
        clients: by number.
        crossed: names and kinds of all that went either way.
    """

    clients: dict[int, ClientApp]
    crossed: set[str] = field(default_factory=set)

    def get_node_ids(self) -> Iterable[int]:
        """The numbers of the clients."""
        return list(self.clients)

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        """The answers to messages, one after the other."""
        return [self._answer(message) for message in messages]

    def _answer(self, message: Message) -> Message:
        node = message.metadata.dst_node_id
        context = Context(run_id=0, node_id=node, node_config={}, state=RecordDict(), run_config={})
        reply = self.clients[node](message, context)
        for content in (message.content, reply.content):
            for record in content.values():
                self.crossed |= {f"{name} ({type(record).__name__})" for name in record}
        return reply

    def set_run(self, run: Any) -> None:
        """There is one run only."""

    @property
    def run(self) -> Any:
        """There is one run only."""
        raise NotImplementedError

    def create_message(self, *arguments: Any, **named: Any) -> Message:
        """A message; strategies make their own."""
        return Message(*arguments, **named)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Not here: messages are answered at once."""
        raise NotImplementedError

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Not here: messages are answered at once."""
        raise NotImplementedError


def federated(grid: Grid, *, fold: int, rounds: int) -> ArrayRecord:
    """The weights after some rounds of federated averaging over all clients of a grid."""
    torch.manual_seed(fold)
    clients = len(list(grid.get_node_ids()))
    strategy = FedAvg(fraction_evaluate=0.0, min_train_nodes=clients, min_available_nodes=clients)
    return strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord(Classifier().state_dict()),
        train_config=ConfigRecord({"fold": fold}),
        num_rounds=rounds,
    ).arrays


def judged(grid: Grid, arrays: ArrayRecord, *, fold: int) -> dict[str, int]:
    """How much of the held-out data of all hospitals a model gets right; each counts its own."""
    content = RecordDict({"arrays": arrays, "config": ConfigRecord({"fold": fold})})
    messages = [Message(content, node, MessageType.EVALUATE) for node in grid.get_node_ids()]
    counts: dict[str, int] = {}
    for reply in grid.send_and_receive(messages):
        for name, value in reply.content["metrics"].items():
            counts[name] = counts.get(name, 0) + int(value)
    return counts


def main() -> None:
    """Train and judge: each hospital alone, and both together."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("hospitals", type=Path, nargs="+", help="a folder for each")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    logging.getLogger("flwr").setLevel(logging.ERROR)
    # Who sends: SuperLink would say it, and messages cannot be made without.
    TaskIdentity.run_id = TaskIdentity.node_id = TaskIdentity.task_id = 0
    torch.set_num_threads(1)  # so small a model gains nothing, and the sums stay the same
    infants = {folder.name: load_infants(folder) for folder in options.hospitals}
    folds = max(
        sum(infant.label == label for infant in own) for own in infants.values() for label in (0, 1)
    )
    apps = {i: client_app(own, folds) for i, own in enumerate(infants.values(), 1)}
    everybody = OneMachine(apps)
    teams = {name: OneMachine({i: apps[i]}) for i, name in enumerate(infants, 1)}
    teams["federated"] = everybody
    print(f"{folds} folds; each infant is held out once, and judged by models that never saw it\n")
    print(f"{'trained at':12}  windows right    infants right")
    for name, team in teams.items():
        total: dict[str, int] = {}
        for fold in range(folds):
            arrays = federated(team, fold=fold, rounds=options.rounds)
            for key, count in judged(everybody, arrays, fold=fold).items():
                total[key] = total.get(key, 0) + count
        share = total["windows_right"] / total["windows"]
        print(f"{name:12}  {share:13.1%}    {total['infants_right']} of {total['infants']}")
    print("\nWhat crossed between hospitals and server:")
    print("\n".join(f"  {name}" for name in sorted(everybody.crossed)))


def _model(message: Message) -> Classifier:
    model = Classifier()
    model.load_state_dict(message.content["arrays"].to_torch_state_dict())
    return model


if __name__ == "__main__":
    main()
