"""A localized video as an image: lanes on a time line, for notebooks and matplotlib."""
