"""Trains a classifier on scikit-learn's wine data and saves it, with golden answers, as the bundle model/."""

from pathlib import Path

from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from shipwheel_serve import bundle

MODEL = Path(__file__).parent / "model"


def main() -> None:
    """Fit on three quarters of the 178 wines, print the accuracy on the rest, save the pipeline."""
    wine = load_wine(as_frame=True)
    cultivars = wine.target.map(dict(enumerate(wine.target_names)))
    train_x, test_x, train_y, test_y = train_test_split(wine.data, cultivars, random_state=7, stratify=cultivars)
    forest = RandomForestClassifier(n_estimators=100, random_state=7)
    model = Pipeline([("scale", StandardScaler()), ("forest", forest)]).fit(train_x, train_y)
    bundle.save(
        MODEL, model, inputs=test_x, method={"cultivar": "predict", "probability": "predict_proba"}, name="wine", golden=True
    )
    print(f"accuracy {model.score(test_x, test_y):.3f} on {len(test_x)} wines it has not seen; saved {MODEL.name}/")


if __name__ == "__main__":
    main()
