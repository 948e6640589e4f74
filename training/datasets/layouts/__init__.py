"""One module for each layout of a data set; all return a `VideoSet`."""
