"""From network input to people: networks, framing, parsing, identities."""
