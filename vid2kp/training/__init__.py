"""Synthetic infants, targets, data and the training loop."""
