"""Who allowed what: licences, sources, cards."""
