"""What runs beside the SuperLink: Flower's strategies, with datkit's checks of what comes back.

It holds weights and no exam.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.common.constant import SUPERLINK_NODE_ID
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg, FedProx
from safetensors.numpy import save_file

from dat_flower.task import from_record, make_model, to_record
from datkit.federated.training import (
    STRATEGIES,
    Order,
    Update,
    check_updates,
    read_weights,
    write_weights,
)
from datkit.files import replace_atomically
from datkit.models import save_model

app = ServerApp()


def read_answer(content: RecordDict) -> tuple[str, Update]:
    """Return the hospital's name in an answer, and the answer."""
    name, metrics = content["hospital"]["name"], content["metrics"]
    weights = from_record(content["arrays"])
    return str(name), Update(weights, metrics["num-examples"], metrics["loss"])


def clean(update: Update) -> RecordDict:
    """Return an answer as Flower's strategies read it: what was checked, and nothing beside it.

    Flower adds up in the precision that it finds, and float32 would lose the last digits.
    """
    weights = {name: one.astype(np.float64) for name, one in update.weights.items()}
    metrics = MetricRecord({"num-examples": update.n, "loss": update.loss})
    return RecordDict({"arrays": to_record(weights), "metrics": metrics})


class Checked(FedAvg):
    """Flower's mean of the answers that datkit would take, in the order of the hospitals' names.

    Flower adds up in the order in which answers come, and a sum of floating-point numbers depends
    on it: unsorted, two runs need not give the same weights.
    """

    def plan(self, rounds: int, strategy: str, patience: float, out: Path) -> None:
        """Say what is asked in all rounds, and in which folder ``history.json`` grows.

        An order is valid for `patience` seconds, as long as its round waits for answers. Otherwise
        a hospital that was away would first work through all that it missed.
        """
        self.rounds, self.named, self.patience, self.out = rounds, strategy, patience, out
        self.history: list[dict[str, Any]] = []
        self.seen: set[str] = set()

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Keep the order, which the answers are checked against, and send it."""
        self.order = Order(from_record(arrays), server_round - 1, self.rounds, self.named)
        config["rounds"], config["strategy"] = self.rounds, self.named
        messages = [*super().configure_train(server_round, arrays, config, grid)]
        for message in messages:
            message.metadata.ttl = self.patience
        return messages

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Leave nonsense out, sort the rest, and let Flower take the mean."""
        answers, messages, refused = self._read(replies)
        problems = check_updates(answers, self.order)
        good = sorted({*answers} - {one.where for one in problems})
        for name in good:
            messages[name].content = clean(answers[name])
        arrays, metrics = super().aggregate_train(server_round, [messages[one] for one in good])
        self.seen |= answers.keys()
        record = {"round": server_round, "loss": metrics["loss"] if metrics else None}
        record |= {"hospitals": good, "absent": sorted(self.seen - answers.keys())}
        self.history.append(record | {"refused": [*refused, *map(str, problems)]})
        with replace_atomically(self.out / "history.json") as part:
            part.write_text(json.dumps(self.history, indent=1), encoding="utf-8")
        if arrays is None:  # Flower goes on with the weights that it had
            return None, None
        mean = {name: one.astype(np.float32) for name, one in from_record(arrays).items()}
        # What the strategy leaves in the hospitals is in no answer.
        return to_record(self.order.weights | mean), metrics

    def _read(
        self, replies: Iterable[Message]
    ) -> tuple[dict[str, Update], dict[str, Message], list[str]]:
        answers, messages, refused = {}, {}, []
        for reply in replies:
            source = reply.metadata.src_node_id
            node = "SuperLink" if source == SUPERLINK_NODE_ID else f"node {source}"
            if reply.has_error():
                refused.append(f"{node}: {reply.error.reason}")
                continue
            try:
                name, update = read_answer(reply.content)
            except (KeyError, TypeError, ValueError) as error:
                refused.append(f"{node}: expected weights, a count and a loss, found {error!r}.")
                continue
            if name in answers:  # which one is it? The first keeps its place.
                refused.append(f"{node}: expected one answer of {name}, found another.")
                continue
            answers[name], messages[name] = update, reply
        return answers, messages, refused


class CheckedProx(FedProx, Checked):
    """The same with FedProx. Hospitals know μ by the strategy's name."""


def make_strategy(name: str, quorum: int) -> Checked:
    """Return Flower's strategy for a name in ``datkit.federated.STRATEGIES``."""
    how = {"min_train_nodes": quorum, "min_available_nodes": quorum, "fraction_evaluate": 0.0}
    mu = STRATEGIES[name].proximal
    return CheckedProx(proximal_mu=mu, **how) if mu else Checked(**how)


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Wait for the hospitals, train, and write the model."""
    settings, out = context.run_config, Path(str(context.run_config["out"]))
    rounds, named = int(settings["num-server-rounds"]), str(settings["strategy"])
    out.mkdir(parents=True, exist_ok=True)
    model = make_model(settings)
    network = model.build()
    learning = model.parts(network)[1]
    while len([*grid.get_node_ids()]) < int(settings["hospitals"]):
        time.sleep(1)
    strategy = make_strategy(named, int(settings["quorum"]))
    patience = float(settings["round-timeout"])
    strategy.plan(rounds, named, patience, out)
    start = to_record(read_weights(learning))
    weights = from_record(strategy.start(grid, start, rounds, patience).arrays)
    if not weights:
        raise RuntimeError("Expected an answer to use in some round, found none; see history.json.")
    save_file(weights, out / "weights.safetensors")
    if not STRATEGIES[named].local:  # else it lacks what stays in the hospitals
        write_weights(learning, weights)
        model.network_, model.settings_ = network.eval(), model.training_settings()
        save_model(model, out / "model", {"federated": {"strategy": named, "rounds": rounds}})
