"""HTTP below the routes: connections, bodies, admission, API keys and headers."""
