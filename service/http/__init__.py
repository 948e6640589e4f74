"""Everything between the socket and the routes: connections, bodies, admission, keys, headers."""
