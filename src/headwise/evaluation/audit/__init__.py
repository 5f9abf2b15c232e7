"""What a reward model falls for: pairs with and without a bias, and how often it is misled."""

from headwise.evaluation.audit.biases import AUDIT_BIASES, AUDIT_STRENGTHS, AuditBias, as_bias
from headwise.evaluation.audit.intervals import Estimate, estimate
from headwise.evaluation.audit.items import AuditItem, audit_item, biased_split
from headwise.evaluation.audit.markdown import audit_markdown
from headwise.evaluation.audit.plan import AuditPlan, AuditSettings, Condition, Unit
from headwise.evaluation.audit.report import AuditReport, BiasFinding, Dose, Figures, Outcome
from headwise.evaluation.audit.rows import AuditRow, AuditRows, fact_rows, read_rows, scene_rows
from headwise.evaluation.audit.run import FittedSubject, MethodSubject, Subject, run_audit
from headwise.evaluation.released import (
    RELEASED_DATASET,
    RELEASED_SPLITS,
    ReleasedSplit,
    read_released,
    released_preferences,
)

__all__ = [
    "AUDIT_BIASES",
    "AUDIT_STRENGTHS",
    "RELEASED_DATASET",
    "RELEASED_SPLITS",
    "AuditBias",
    "AuditItem",
    "AuditPlan",
    "AuditReport",
    "AuditRow",
    "AuditRows",
    "AuditSettings",
    "BiasFinding",
    "Condition",
    "Dose",
    "Estimate",
    "Figures",
    "FittedSubject",
    "MethodSubject",
    "Outcome",
    "ReleasedSplit",
    "Subject",
    "Unit",
    "as_bias",
    "audit_item",
    "audit_markdown",
    "biased_split",
    "estimate",
    "fact_rows",
    "read_released",
    "read_rows",
    "released_preferences",
    "run_audit",
    "scene_rows",
]
