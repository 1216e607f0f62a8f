import argparse
import os

import joblib
import pandas as pd

parser = argparse.ArgumentParser()
parser.add_argument("--day", required=True)
day = parser.parse_args().day
rows = pd.read_parquet(f"{os.environ['SOURCE']}/{day}.parquet")
rows["score"] = joblib.load("/models/model.joblib").predict(rows)
rows.to_parquet(f"{os.environ['TARGET']}/{day}.parquet")
