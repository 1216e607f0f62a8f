"""Trains LightGBM to say how many minutes a delivery takes, on made-up data, and saves it as the bundle model/."""

from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd

from shipwheel_serve import bundle

MODEL = Path(__file__).parent / "model"
WEATHER = ["clear", "rain", "snow"]


def deliveries(count: int) -> tuple[pd.DataFrame, pd.Series]:
    """So many deliveries, and the minutes that each took: longer with distance, rush hour, rain and snow, and some chance."""
    chance = np.random.default_rng(7)
    data = pd.DataFrame(
        {
            "distance_km": chance.gamma(2.0, 2.0, count).round(2),
            "items": chance.integers(1, 9, count),
            "hour": chance.integers(8, 23, count),
            "weather": pd.Categorical(chance.choice(WEATHER, count, p=[0.7, 0.25, 0.05]), categories=WEATHER),
            "weekend": chance.random(count) < 2 / 7,
        }
    )
    slow = data["weather"].map({"clear": 1.0, "rain": 1.2, "snow": 1.8}).astype(float)
    rush = np.where(data["hour"].between(17, 19) & ~data["weekend"], 1.4, 1.0)
    minutes = 8 + 3.1 * data["distance_km"] * slow * rush + 0.7 * data["items"] + chance.normal(0, 2, count)
    return data, minutes


def main() -> None:
    """Fit on 20,000 deliveries, print the error on 2,000 more, save the booster."""
    data, minutes = deliveries(22_000)
    train = lightgbm.Dataset(data[:20_000], minutes[:20_000])
    model = lightgbm.train({"objective": "regression", "seed": 7, "deterministic": True, "verbose": -1}, train, 200)
    error = np.abs(model.predict(data[20_000:]) - minutes[20_000:]).mean()
    bundle.save(MODEL, model, inputs=data[20_000:], method={"minutes": "predict"}, name="delivery")
    print(f"off by {error:.1f} minutes on average, on deliveries that it has not seen; saved {MODEL.name}/")


if __name__ == "__main__":
    main()
