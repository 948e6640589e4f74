"""The web page, its files, and the calls that are made for it."""
