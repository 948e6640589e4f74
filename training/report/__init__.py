"""A page that shows how good a model is and where it errs."""
