"""What methods are compared with, by the same contract."""
