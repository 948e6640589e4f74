"""A page that shows how good a model is and which errors it makes."""
