"""scikit-learn estimators: a few-shot classifier, and head features for any other model."""

from headwise.integrations.sklearn.classifier import SAVClassifier
from headwise.integrations.sklearn.features import HeadFeatures
from headwise.integrations.sklearn.held_engine import SharedEngine

__all__ = ["HeadFeatures", "SAVClassifier", "SharedEngine"]
