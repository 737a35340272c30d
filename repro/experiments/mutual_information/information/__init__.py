"""Estimating mutual information: samples, critics, bounds and estimators."""
