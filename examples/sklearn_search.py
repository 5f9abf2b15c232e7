"""scikit-learn searches over a frozen language model's heads, running each text once.

Needs `pip install 'headwise[embedded]'`; takes a minute on a CPU.

    python examples/sklearn_search.py
"""

from __future__ import annotations

from time import perf_counter

from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from headwise.data.demo import load_topics
from headwise.integrations.sklearn import HeadFeatures, SAVClassifier


def main() -> None:
    """Searches twice over the same texts, and prints what was best and how long it took."""
    messages = load_topics()[:75]
    texts = [message.text for message in messages]
    topics = [message.label for message in messages]
    support, tested = slice(0, 50), slice(50, 75)
    searches = {
        "SAVClassifier": GridSearchCV(
            SAVClassifier("embedded"), {"n_heads": [1, 5, 20], "voting": ["soft", "majority"]}, cv=5
        ),
        "HeadFeatures + logistic regression": GridSearchCV(
            make_pipeline(
                HeadFeatures("embedded"), StandardScaler(), LogisticRegression(max_iter=500)
            ),
            {"headfeatures__heads": [1, 5, 20]},
            cv=5,
        ),
    }
    for name, search in searches.items():
        start = perf_counter()
        search.fit(texts[support], topics[support])
        seconds = perf_counter() - start
        accuracy = search.score(texts[tested], topics[tested])
        print(f"{name}: {search.best_params_}")
        print(
            f"  cross-validated {search.best_score_:.2f}, on 25 other texts {accuracy:.2f}; "
            f"the search took {seconds:.1f} s"
        )


if __name__ == "__main__":
    main()
