"""The bill of materials names everything that runs, and follows its schema."""

from __future__ import annotations

import importlib.util
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

pytest.importorskip("cyclonedx", reason="the test extra is not installed")


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    path = Path(__file__).parents[1] / "docs" / "make_sbom.py"
    spec = importlib.util.spec_from_file_location("make_sbom", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    content: dict[str, Any] = json.loads(module.to_json(module.make_bom()))
    return content


def test_it_is_a_bill_of_vid2kp(bill: dict[str, Any]) -> None:
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["name"] == "vid2kp"


def test_what_runs_is_listed_and_what_tests_is_not(bill: dict[str, Any]) -> None:
    parts = {part["name"].lower(): part for part in bill["components"]}
    for name in ("av", "numpy", "torch", "pyarrow", "typer", "safetensors"):
        assert parts[name]["version"] == version(name)
        assert unquote(parts[name]["purl"]) == f"pkg:pypi/{name}@{version(name)}"
        assert parts[name].get("licenses"), name
    assert not {"pytest", "mypy", "ruff", "hypothesis"} & parts.keys()


def test_compiled_libraries_and_models_are_listed(bill: dict[str, Any]) -> None:
    from vid2kp.pose.weights import list_models

    parts = {part["name"]: part for part in bill["components"]}
    assert {"libavcodec", "libavformat", "libswscale"} <= parts.keys()
    cards = [model.card for model in list_models() if model.card is not None]
    assert cards
    for card in cards:
        assert parts[card.name]["type"] == "machine-learning-model"
        assert parts[card.name]["hashes"] == [{"alg": "SHA-256", "content": card.sha256}]


def test_every_part_hangs_on_vid2kp(bill: dict[str, Any]) -> None:
    inside = {one["ref"]: one.get("dependsOn", []) for one in bill["dependencies"]}
    reached, waiting = set(), [bill["metadata"]["component"]["bom-ref"]]
    while waiting:
        part = waiting.pop()
        if part not in reached:
            reached.add(part)
            waiting += inside[part]
    assert {part["bom-ref"] for part in bill["components"]} <= reached
