"""REST service that serves exported models; it never imports torch."""
