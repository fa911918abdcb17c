"""What runs in a hospital: train on the own exams, answer with weights, a count and a loss.

Flower starts it anew for each message, as the user of the hospital's SuperNode. The SuperNode's
own configuration says where the exams are; nothing that the server sends can name a path.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from flwr.app import ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from dat_flower.task import from_record, make_model, to_record
from datkit.federated.training import Hospital, Order

app = ClientApp()


def open_hospital(context: Context) -> Hospital:
    """Read the exams that this SuperNode's ``--node-config`` names, and what it kept."""
    folder = Path(str(context.node_config["exams"]))
    boxes = np.load(folder / "boxes.npy")
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as table:
        labels = np.array([int(row["is_pathologic"]) for row in csv.DictReader(table)])
    if len(boxes) != len(labels):
        found = f"{len(boxes)} boxes and {len(labels)} labels"
        raise ValueError(f"{folder}: Expected a label for each box, found {found}.")
    kept = from_record(context.state["kept"]) if "kept" in context.state else {}
    name = str(context.node_config["hospital"])
    return Hospital(name, boxes, labels, make_model(context.run_config), kept)


@app.train()
def train(message: Message, context: Context) -> Message:
    """Answer one round's order."""
    hospital, asked = open_hospital(context), message.content["config"]
    weights = from_record(message.content["arrays"])
    # Flower counts rounds from 1.
    order = Order(weights, asked["server-round"] - 1, asked["rounds"], asked["strategy"])
    update = hospital.train(order)
    if hospital.kept:
        context.state["kept"] = to_record(hospital.kept)
    answer = RecordDict(
        {
            "arrays": to_record(update.weights),
            "metrics": MetricRecord({"num-examples": update.n, "loss": update.loss}),
            "hospital": ConfigRecord({"name": hospital.name}),
        }
    )
    return Message(answer, reply_to=message)
