"""Safe reading of video files, and a writer that accepts only drawings."""
