"""Tracks are plain Parquet: the same question in pandas, in polars and in DuckDB.

    python examples/read_anywhere.py OUT/<pseudonym>/tracks.parquet

How often is each keypoint of the infant seen, and how sure was the network then? Without an
argument it reads the true tracks of the example clip. vid2kp is not needed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl

TRUTH = Path(__file__).parent / "infant" / "tracks.parquet"


def with_pandas(path: Path) -> pd.DataFrame:
    """Share of frames in which each keypoint is seen, and median confidence; sorted by name."""
    table = pd.read_parquet(path)
    infant = table[table["individual"] == "infant"]
    by_keypoint = infant.groupby("keypoint", observed=True)
    answer = by_keypoint.agg(
        seen=("x", lambda x: x.notna().mean()), median=("confidence", "median")
    )
    return answer.reset_index()


def with_polars(path: Path) -> pl.DataFrame:
    """The same; a scan reads no more of the file than the question needs."""
    return (
        pl.scan_parquet(path)
        .filter(pl.col("individual") == "infant")
        .group_by("keypoint")
        .agg(seen=pl.col("x").is_not_null().mean(), median=pl.col("confidence").median())
        .sort("keypoint")
        .collect()
    )


def with_duckdb(path: Path) -> pd.DataFrame:
    """The same in SQL; 'OUT/*/tracks.parquet' would ask a whole run at once."""
    return duckdb.execute(
        """
        SELECT keypoint, avg(CAST(x IS NOT NULL AS DOUBLE)) AS seen, median(confidence) AS median
        FROM read_parquet($path)
        WHERE individual = 'infant'
        GROUP BY keypoint
        ORDER BY keypoint
        """,
        {"path": str(path)},
    ).df()


def main() -> None:
    """Ask all three."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else TRUTH
    print(with_pandas(path).to_string(index=False, float_format="%.2f"))
    print(with_polars(path))
    print(with_duckdb(path).to_string(index=False, float_format="%.2f"))


if __name__ == "__main__":
    main()
