"""Tracks in the formats of other programs, one module per format.

Each module says which rules of its format are easy to miss, and each is opened by a real client
of that format in the tests. `vid2kp.export.formats` puts them together.
"""
