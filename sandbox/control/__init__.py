"""The switchboard: the state that the page and the tests see, and the controls that change it."""
