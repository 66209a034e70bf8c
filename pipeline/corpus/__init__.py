"""A finished corpus as its files lie there: sealed, verified, searched, compared, and taken down from."""
