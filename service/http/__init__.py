"""The server: sockets, connections, the ASGI application, and the routes around the API."""
