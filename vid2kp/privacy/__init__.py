"""Pseudonyms, manifests, and the proof that a deliverable is clean."""
