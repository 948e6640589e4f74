"""Player and time line in a real browser, on sessions made by the tests."""
