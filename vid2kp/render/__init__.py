"""Pictures made from tracks alone; nothing here can see a source pixel."""
