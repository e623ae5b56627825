"""The commands, put together; each is imported from its own module and loads its work when run."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import vid2kp
from vid2kp.cli.clean import clean
from vid2kp.cli.convert import convert
from vid2kp.cli.doctor import doctor
from vid2kp.cli.evaluate import evaluate
from vid2kp.cli.export import export
from vid2kp.cli.labelme2coco import labelme2coco
from vid2kp.cli.models import models
from vid2kp.cli.probe import probe
from vid2kp.cli.render import render
from vid2kp.cli.report import report
from vid2kp.cli.synth import synth
from vid2kp.cli.train import train
from vid2kp.cli.verify import verify

app = typer.Typer(
    name="vid2kp",
    help="Body keypoint tracks of infants from clinical video, with no pixel leaving the process.",
    add_completion=False,
    # A traceback with local variables could show names of patients.
    pretty_exceptions_enable=False,
    rich_markup_mode="rich" if sys.stdout.isatty() else None,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vid2kp {vid2kp.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Body keypoint tracks of infants from clinical video, with no pixel leaving the process."""


app.command(epilog="Example: vid2kp convert videos/ -o results")(convert)
app.command(epilog="Example: vid2kp render OUT/<pseudonym> -o skeleton.mp4 --trail 1")(render)
app.command(epilog="Example: vid2kp clean OUT/<pseudonym> -o clean.parquet")(clean)
app.command(epilog="Example: vid2kp report OUT")(report)
app.command(epilog="Example: vid2kp verify OUT --links OUT.private/links.csv")(verify)
app.command(epilog="Example: vid2kp export OUT/<pseudonym> --to netcdf -o tracks.nc")(export)
app.command(epilog="Example: vid2kp probe --decode videos/")(probe)
app.add_typer(models, name="models", epilog="Example: vid2kp models list")
app.command(epilog="Example: vid2kp synth -o infant --video --seconds 10 --seed 7")(synth)
app.command(epilog="Example: vid2kp train -o run --synthetic 20000 --steps 10000")(train)
app.command(
    epilog="Example: vid2kp evaluate --annotations val.json --images images --model infant-lite"
)(evaluate)
app.command(epilog="Example: vid2kp labelme2coco labels/ -o annotations.json")(labelme2coco)
app.command(epilog="Example: vid2kp doctor")(doctor)
