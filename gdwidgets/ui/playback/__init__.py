"""The cursor over a recording, the clock that moves it, and the buttons."""
