"""The page at `/`: what a browser loads to bring in videos, look at segments and correct them."""
