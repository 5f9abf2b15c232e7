"""The routes, by the interface that they are shaped after."""
