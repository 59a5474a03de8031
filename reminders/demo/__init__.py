"""The demo clinic: its cast, its story, and a clock to play it. Used by the demo commands alone."""
