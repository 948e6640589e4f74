"""Tests of the page in Chromium; a package, so that the browser closes after the folder's last."""
