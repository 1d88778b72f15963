"""Fetch the scores of an unblinded study into pandas, with a token in the environment variable READERSTUDY_TOKEN.

python fetch_scores.py https://reader-study.example.org 8c4ff1d0-3b07-4b44-9f0c-0f8f3bd1c4a1
"""

import os
import sys
from urllib.request import Request, urlopen

import pandas as pd


def fetch_scores(address: str, study: str, token: str) -> pd.DataFrame:
    """One row per planned reading; an empty score was not read, NA could not be judged."""
    url = f"{address.rstrip('/')}/api/studies/{study}/scores/?format=csv"
    with urlopen(Request(url, headers={"Authorization": f"Bearer {token}"})) as answer:
        return pd.read_csv(answer, dtype={"score": str}, keep_default_na=False, na_values={"seconds": [""]})


if __name__ == "__main__":
    scores = fetch_scores(sys.argv[1], sys.argv[2], os.environ["READERSTUDY_TOKEN"])
    first = scores[scores["score"].str.isdecimal() & (scores["repeat"] == 0)]
    print(first.astype({"score": int}).groupby(["criterion", "arm"])["score"].describe())
