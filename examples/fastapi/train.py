"""Trains the classifier of this service on scikit-learn's wine data and writes model/model.joblib."""

from pathlib import Path

import joblib
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

MODEL = Path(__file__).parent / "model" / "model.joblib"


def main() -> None:
    """Fit on three quarters of the 178 wines, print the accuracy on the rest, save the pipeline."""
    wine = load_wine(as_frame=True)
    cultivars = wine.target.map(dict(enumerate(wine.target_names)))
    train_x, test_x, train_y, test_y = train_test_split(wine.data, cultivars, random_state=7, stratify=cultivars)
    forest = RandomForestClassifier(n_estimators=100, random_state=7)
    model = Pipeline([("scale", StandardScaler()), ("forest", forest)]).fit(train_x, train_y)
    MODEL.parent.mkdir(exist_ok=True)
    joblib.dump(model, MODEL, compress=3)
    print(f"accuracy {model.score(test_x, test_y):.3f} on {len(test_x)} wines it has not seen; saved {MODEL.name}")


if __name__ == "__main__":
    main()
