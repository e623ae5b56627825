"""The data contract of the tracks and their files."""
